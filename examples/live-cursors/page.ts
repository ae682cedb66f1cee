/** Publishes the pointer's place at most 20 times a second, and shows the pointers of those who are here. */

import { createClient } from "@fanfare/client";

interface Place {
  readonly x: number;
  readonly y: number;
}

const count = document.querySelector("output") as HTMLOutputElement;
const cursors = new Map<string, HTMLElement>();

const client = createClient({
  url: () => fetch("/socket").then((answer) => answer.text()),
  token: () => fetch("/token").then((answer) => answer.text()),
});
const canvas = client.channel("presence-canvas");

canvas.on("client-cursor", (place, { user = "" }) => {
  const { x, y } = place as Place;
  let cursor = cursors.get(user);
  if (!cursor) {
    cursor = document.body.appendChild(document.createElement("i"));
    const { info } = canvas.members.find(({ id }) => id === user) ?? {};
    cursor.style.background = (info as { color?: string })?.color ?? "gray";
    cursors.set(user, cursor);
  }
  // Windows have different sizes: places are parts of them.
  cursor.style.left = `${x * 100}vw`;
  cursor.style.top = `${y * 100}vh`;
});

canvas.onLeave(({ id }) => {
  cursors.get(id)?.remove();
  cursors.delete(id);
});

canvas.subscribe(() => {
  count.value = String(canvas.members.length);
});

let latest: Place | undefined;
document.addEventListener("pointermove", ({ clientX, clientY }) => {
  latest = { x: clientX / innerWidth, y: clientY / innerHeight };
});
setInterval(() => {
  if (!latest) return;
  // Now or never: a place that has waited is of no use.
  canvas.publish("client-cursor", latest, { volatile: true }).catch(() => {});
  latest = undefined;
}, 50);
