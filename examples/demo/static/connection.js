// One WebSocket that comes back by itself: back-off with jitter, countdown, and an end for
// connections that have gone silent. Knows nothing of the page and of what the messages mean.

const FIRST_DELAY = 1000;
const LONGEST_DELAY = 15000;
const CONNECT_LIMIT = 8000; // a connection that takes longer than this is given up
const SILENCE_LIMIT = 8000; // the server speaks once a second, so this long means it is gone
const STABLE_AFTER = 5000; // back-off starts afresh after a connection that lasted this long

export class Connection {
  // onState({name, seconds}) with name "connecting", "open" or "waiting"; onMessage(object).
  constructor(url, { onState, onMessage }) {
    this.url = url;
    this.onState = onState;
    this.onMessage = onMessage;
    this.socket = null;
    this.failures = 0;
    this.since = 0; // when the current state began
    this.heard = 0; // when the server last said something
    this.retryAt = null;
    setInterval(() => this.check(), 200);
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
  }

  get isOpen() {
    return this.socket !== null && this.socket.readyState === WebSocket.OPEN;
  }

  open() {
    this.retryAt = null;
    this.since = performance.now();
    const socket = new WebSocket(this.url);
    this.socket = socket;
    // A socket that was given up may still report something: only the current one is listened to.
    const ifCurrent = (act) => (event) => socket === this.socket && act(event);
    socket.onopen = ifCurrent(() => this.opened());
    socket.onmessage = ifCurrent((event) => this.received(event.data));
    socket.onclose = ifCurrent(() => this.lost());
    this.onState({ name: "connecting" });
  }

  send(message) {
    if (!this.isOpen) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  retryNow() {
    if (this.retryAt !== null) this.open();
  }

  opened() {
    this.since = this.heard = performance.now();
    this.onState({ name: "open" });
  }

  received(data) {
    this.heard = performance.now();
    let message;
    try {
      message = JSON.parse(data);
    } catch (error) {
      console.warn("Not JSON, ignored:", error.message);
      return;
    }
    this.onMessage(message);
  }

  lost() {
    const now = performance.now();
    const wasOpen = this.heard >= this.since;
    if (wasOpen && now - this.since > STABLE_AFTER) this.failures = 0;
    const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.failures);
    // Between half and all of it, so that many windows do not come back at the same moment.
    this.retryAt = now + longest * (0.5 + Math.random() / 2);
    this.failures += 1;
    this.socket = null;
    this.check();
  }

  // Runs by the clock and compares times, because timers of hidden windows are slowed down.
  check() {
    const now = performance.now();
    if (this.retryAt !== null) {
      if (now >= this.retryAt) this.open();
      else this.onState({ name: "waiting", seconds: Math.ceil((this.retryAt - now) / 1000) });
    } else if (this.socket !== null) {
      const limit = this.isOpen ? this.heard + SILENCE_LIMIT : this.since + CONNECT_LIMIT;
      if (now > limit) this.giveUp();
    }
  }

  giveUp() {
    // A closing handshake with a peer that is gone can take a minute, so it is not waited for.
    const socket = this.socket;
    this.lost();
    socket.close();
  }
}
