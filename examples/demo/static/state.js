// Shows the state of the connection.

import { byId, setText } from "./dom.js";

const SPOKEN = {
  open: "Connected.",
  waiting: "Connection lost. Reconnecting automatically.",
};

export class StateLine {
  constructor(retry) {
    this.before = null; // what was shown last, to announce changes only
    byId("retry").addEventListener("click", retry);
  }

  show({ name, seconds }) {
    const again = this.before !== null && name === "connecting";
    const texts = {
      connecting: again ? "Reconnecting…" : "Connecting…",
      open: "Connected",
      waiting: `Reconnecting in ${seconds} s`,
    };
    setText(byId("state-text"), texts[name]);
    // The countdown is for the eye. Spoken once a second it would drown everything else.
    if (SPOKEN[name]) setText(byId("state-announcement"), SPOKEN[name]);
    if (name !== "waiting" && document.activeElement === byId("retry")) byId("say").focus();
    byId("retry").hidden = name !== "waiting";
    document.body.dataset.state = name;
    this.before = name;
  }
}
