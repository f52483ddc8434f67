// ws on Node. It is started as the Python programs are: see __init__.py here.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import path from 'node:path'

// The package stands in the peer's own folder, which is the working directory, and not beside this file.
const { WebSocketServer } = createRequire(pathToFileURL(path.join(process.cwd(), '/')))('ws')

const mode = process.argv[2]
if (mode !== 'echo' && mode !== 'broadcast') {
  console.error(`the mode is echo or broadcast, not ${mode}`)
  process.exit(2)
}

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  path: '/ws',
  backlog: 1024,
  maxPayload: 64 << 20,
  perMessageDeflate: false,
  clientTracking: mode === 'broadcast'
})
server.on('connection', (socket) => {
  socket.on('error', () => {}) // a client that vanishes is no error
  socket.on('message', (message, binary) => {
    if (mode === 'echo') socket.send(message, { binary })
    else for (const each of server.clients) each.send(message, { binary })
  })
})
server.on('listening', () => console.log(server.address().port))
