// Ties the parts of the page to one connection.

import { showBroadcast, startBroadcast } from "./broadcast.js";
import { Chat } from "./chat.js";
import { Connection } from "./connection.js";
import { Latency } from "./latency.js";
import { People } from "./people.js";
import { StateLine } from "./state.js";
import { showTick } from "./ticker.js";

const address = new URL("ws", document.baseURI);
address.protocol = address.protocol === "https:" ? "wss:" : "ws:";

const connection = new Connection(address.href, { onState, onMessage });
const send = (message) => connection.send(message);
const state = new StateLine(() => connection.retryNow());
const chat = new Chat(send);
const people = new People(send);
const latency = new Latency(send);

let joined = false; // the server has welcomed this window on the connection there is now

function onState(now) {
  state.show(now);
  if (now.name === "open") people.join();
  else if (joined) left();
}

function left() {
  joined = false;
  chat.setReady(false);
  people.setReady(false);
  chat.note("Connection lost");
}

const handlers = {
  welcome({ name, history }) {
    chat.me = name;
    people.setMe(name);
    chat.showHistory(history);
    chat.setReady(true);
    people.setReady(true);
    joined = true;
  },
  people({ names, event, name, before }) {
    const mine = name === people.me;
    const notes = {
      joined: mine ? `You joined as ${name}` : `${name} joined`,
      left: `${name} left`,
      renamed: mine ? `You are now ${name}` : `${before} is now ${name}`,
    };
    people.show(names);
    chat.note(notes[event]);
  },
  say: (line) => chat.say(line),
  broadcast: ({ text }) => showBroadcast(text),
  tick: showTick,
  probe: (answer) => latency.answered(answer),
  error: ({ text }) => chat.tell(text, true),
};

function onMessage(message) {
  handlers[message.type]?.(message);
}

startBroadcast();
connection.open();
