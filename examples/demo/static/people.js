// Who is here, and this window's own name.

import { byId, element, nameTag, setText } from "./dom.js";

const KEY = "ws4py-demo-name";
const FIRST = ["Brave", "Calm", "Clever", "Eager", "Gentle", "Jolly", "Quick", "Quiet", "Sunny", "Wise"];
const SECOND = ["Badger", "Crane", "Falcon", "Fox", "Heron", "Lynx", "Marten", "Otter", "Robin", "Seal"];

const pick = (list) => list[Math.floor(Math.random() * list.length)];

export class People {
  constructor(send) {
    this.send = send;
    this.me = null;
    this.input = byId("name");
    // Per window, not per browser: two windows are two people.
    this.wanted = sessionStorage.getItem(KEY) || `${pick(FIRST)} ${pick(SECOND)}`;
    this.input.value = this.wanted;
    byId("name-form").addEventListener("submit", (event) => this.submit(event));
  }

  join() {
    this.send({ type: "join", name: this.wanted });
  }

  submit(event) {
    event.preventDefault();
    const name = this.input.value.trim();
    if (!name || name === this.me) {
      this.input.value = this.me ?? this.wanted;
      return;
    }
    this.wanted = name;
    sessionStorage.setItem(KEY, name);
    this.join();
  }

  // The server may have cut or numbered the name.
  setMe(name) {
    this.me = name;
    sessionStorage.setItem(KEY, this.wanted);
    if (document.activeElement !== this.input || this.input.value.trim() === this.wanted) {
      this.input.value = name;
    }
  }

  setReady(ready) {
    byId("name-save").disabled = !ready;
    if (!ready) this.show([], "Not connected");
  }

  show(names, otherwise = "Nobody here yet") {
    const items = names.map((name) => {
      const item = element("li");
      item.append(nameTag(name));
      if (name === this.me) item.append(element("span", { text: " (you)", className: "muted" }));
      return item;
    });
    byId("people").replaceChildren(...items);
    setText(byId("people-count"), names.length ? `${names.length} here` : otherwise);
  }
}
