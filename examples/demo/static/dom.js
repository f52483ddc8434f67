// Small helpers. Text from the server enters the page through textContent only.

export const byId = (id) => document.getElementById(id);

export function element(tag, { text = "", className = "" } = {}) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

export function setText(target, text) {
  // Writing the same text again would make screen readers say it again.
  if (target.textContent !== text) target.textContent = text;
}

export function clockOf(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
}

export function hueOf(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 360;
  return hash;
}

export function nameTag(name) {
  const tag = element("bdi", { text: name, className: "name" });
  tag.style.setProperty("--hue", hueOf(name));
  return tag;
}
