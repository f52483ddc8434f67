// The conversation: lines, their limit, and sending.

import { byId, clockOf, element, nameTag, setText } from "./dom.js";

const LINES_KEPT = 200;
const NEAR_END = 40; // pixels: who is this close to the end wants to see what comes

export class Chat {
  constructor(send) {
    this.send = send;
    this.me = null;
    this.ready = false;
    this.seen = new Set();
    this.log = byId("log");
    this.scroll = byId("log-scroll");
    this.input = byId("say");
    this.hint = byId("say-hint");
    byId("say-form").addEventListener("submit", (event) => this.submit(event));
    this.input.addEventListener("input", () => this.count());
    this.scroll.addEventListener("scroll", () => this.atEnd() && this.toEnd());
    byId("log-down").addEventListener("click", () => {
      this.toEnd();
      this.input.focus();
    });
    // A phone's keyboard or a turned phone changes the height: the last line stays in sight.
    new ResizeObserver(() => byId("log-down").hidden && this.toEnd()).observe(this.scroll);
  }

  submit(event) {
    event.preventDefault();
    const text = this.input.value.trim();
    if (!text) return;
    if (!this.ready || !this.send({ type: "say", text })) {
      this.tell("Not connected. Your message stays here.", true);
      return;
    }
    this.input.value = "";
    this.count();
    this.tell("");
    this.toEnd();
  }

  count() {
    setText(byId("say-count"), `${this.input.value.length} / ${this.input.maxLength}`);
  }

  tell(text, isError = false) {
    this.hint.classList.toggle("error", isError);
    setText(this.hint, text);
  }

  setReady(ready) {
    this.ready = ready;
    // Not `disabled`: Enter would then do nothing at all, instead of saying why.
    byId("say-send").setAttribute("aria-disabled", String(!ready));
    if (ready) this.tell("");
  }

  // What was said before this window came, and what it missed during an outage.
  showHistory(lines) {
    this.scroll.setAttribute("aria-busy", "true");
    for (const line of lines) this.say(line);
    this.scroll.removeAttribute("aria-busy");
  }

  say({ id, name, text, at }) {
    if (this.seen.has(id)) return;
    this.seen.add(id);
    const line = element("li", { className: name === this.me ? "line mine" : "line" });
    line.dataset.id = id;
    const head = element("div", { className: "line-head" });
    const time = element("time", { text: clockOf(at) });
    time.dateTime = new Date(at).toISOString();
    head.append(nameTag(name), time);
    line.append(head, element("p", { text }));
    byId("log-empty").hidden = true;
    this.append(line);
  }

  note(text) {
    this.append(element("li", { text, className: "note" }));
  }

  append(line) {
    const follow = this.atEnd();
    this.log.append(line);
    while (this.log.children.length > LINES_KEPT) {
      this.seen.delete(this.log.firstElementChild.dataset.id);
      this.log.firstElementChild.remove();
    }
    if (follow) this.toEnd();
    else byId("log-down").hidden = false;
  }

  atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroll;
    return scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  toEnd() {
    this.scroll.scrollTop = this.scroll.scrollHeight;
    byId("log-down").hidden = true;
  }
}
