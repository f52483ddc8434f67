// Sends one probe a second and draws how long its echo took.

import { byId, setText } from "./dom.js";

const KEPT = 60; // seconds, and the width of the graph's view box
const HEIGHT = 40;
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 60000];

function inWords(milliseconds) {
  return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export class Latency {
  constructor(send) {
    this.send = send;
    this.probes = []; // {id, sent, took}; took is null while there is no answer
    this.number = 0;
    setInterval(() => this.probe(), 1000);
  }

  // Without a connection the second counts all the same, and shows as a gap.
  probe() {
    const probe = { id: ++this.number, sent: performance.now(), took: null };
    this.probes.push(probe);
    if (this.probes.length > KEPT) this.probes.shift();
    if (!this.send({ type: "probe", id: probe.id })) this.draw();
  }

  answered({ id }) {
    const probe = this.probes.find((each) => each.id === id);
    if (!probe) return;
    probe.took = performance.now() - probe.sent;
    this.draw();
  }

  draw() {
    const known = this.probes.filter((probe) => probe.took !== null).map((probe) => probe.took);
    const last = this.probes.at(-1);
    setText(byId("latency-now"), last && last.took !== null ? inWords(last.took) : "–");
    setText(byId("latency-median"), known.length ? inWords(median(known)) : "–");
    byId("graph-empty").hidden = known.length > 0;
    if (!known.length) {
      byId("graph-line").setAttribute("d", "");
      return;
    }
    const most = Math.max(...known);
    const top = STEPS.find((step) => step >= most) ?? most;
    setText(byId("graph-top"), `${top} ms`);
    setText(byId("graph-middle"), `${top / 2} ms`);
    byId("graph-line").setAttribute("d", this.path(top));
  }

  path(top) {
    let path = "";
    let drawing = false;
    this.probes.forEach(({ took }, index) => {
      if (took !== null) {
        const x = KEPT - this.probes.length + index + 0.5;
        const y = (HEIGHT * (1 - Math.min(took / top, 1))).toFixed(2);
        // The zero-length piece makes a dot of a point that stands alone between two gaps.
        path += drawing ? `L${x} ${y}` : `M${x} ${y}h0`;
      }
      drawing = took !== null;
    });
    return path;
  }
}
