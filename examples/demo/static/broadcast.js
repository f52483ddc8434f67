// Sends over plain HTTP; what comes back to every window comes over the WebSocket.

import { byId, setText } from "./dom.js";

const TIME_LIMIT = 10000;

function tell(text, isError = false) {
  byId("broadcast-hint").classList.toggle("error", isError);
  setText(byId("broadcast-hint"), text);
}

async function post(text) {
  const answer = await fetch("broadcast", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text }),
    signal: AbortSignal.timeout(TIME_LIMIT),
  });
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const { windows } = await answer.json();
  return windows;
}

async function submit(event) {
  event.preventDefault();
  const input = byId("broadcast");
  const text = input.value.trim();
  if (!text || byId("broadcast-send").disabled) return;
  byId("broadcast-send").disabled = true;
  tell("Sending…");
  try {
    const windows = await post(text);
    if (input.value.trim() === text) input.value = "";
    tell(`Sent to ${windows} ${windows === 1 ? "window" : "windows"}.`);
  } catch (error) {
    tell(`Not sent (${error.message}). Your text stays here.`, true);
  } finally {
    byId("broadcast-send").disabled = false;
  }
}

export function showBroadcast(text) {
  const target = byId("broadcast-text");
  target.classList.remove("empty");
  target.textContent = text;
  byId("broadcast-time").textContent = `Received at ${new Date().toLocaleTimeString()}`;
  // Taking the class away and asking for the layout starts the animation again.
  const box = byId("broadcast-latest");
  box.scrollTop = 0;
  box.classList.remove("flash");
  box.getBoundingClientRect();
  box.classList.add("flash");
}

export function startBroadcast() {
  byId("broadcast-form").addEventListener("submit", submit);
}
