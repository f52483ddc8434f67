// The figures that the server pushes.

import { byId, setText } from "./dom.js";

function duration(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

export function showTick({ clock, uptime, connections, rate }) {
  setText(byId("tick-clock"), clock);
  setText(byId("tick-uptime"), duration(uptime));
  setText(byId("tick-connections"), String(connections));
  setText(byId("tick-rate"), rate.toFixed(1));
  byId("beat").classList.toggle("odd");
}
