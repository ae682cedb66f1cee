/** Publishes `client-…` events and shows those of the others. One's own do not come back. */

const input = document.querySelector("#text") as HTMLInputElement;
const typing = document.querySelector("#typing") as HTMLParagraphElement;
const buttons = new Map(Array.from(document.querySelectorAll("button"), (button) => [button.value, button]));
const channel = "presence-room";
const counts = new Map<string, number>();
let socket: WebSocket;
let lastTold = 0;
let silence: ReturnType<typeof setTimeout> | undefined;

async function connect(): Promise<void> {
  socket = new WebSocket(await (await fetch(`/socket${location.search}`)).text());
  socket.onopen = () => send("subscribe", { channel });
  socket.onmessage = ({ data: frame }) => {
    const { event, data, user } = JSON.parse(frame);
    if (event === "subscribed") input.disabled = false;
    // `user` is whom the server knows the sender to be, not what the sender says.
    if (event === "client-typing") showTyping(user);
    if (event === "client-reaction") react(data.emoji);
  };
  socket.onclose = () => setTimeout(connect, 1_000 + 1_000 * Math.random());
}

function send(event: string, data: object): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ event, data }));
}

function showTyping(user: string): void {
  typing.textContent = `${user} is typing`;
  clearTimeout(silence);
  silence = setTimeout(() => typing.replaceChildren(), 3_000);
}

function react(emoji: string): void {
  const button = buttons.get(emoji);
  if (!button) return;
  counts.set(emoji, (counts.get(emoji) ?? 0) + 1);
  button.textContent = `${emoji} ${counts.get(emoji)}`;
}

input.oninput = () => {
  // Once a second is enough, and stays below the limit of events per second.
  if (performance.now() - lastTold < 1_000 && lastTold > 0) return;
  lastTold = performance.now();
  send("publish", { channel, event: "client-typing", data: {} });
};

for (const [emoji, button] of buttons) {
  button.onclick = () => {
    react(emoji);
    send("publish", { channel, event: "client-reaction", data: { emoji } });
  };
}

await connect();

// Top-level await is for modules, and this is what makes it one.
export {};
