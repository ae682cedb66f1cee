/** Shows what was said before and what is said now, each message once. */

interface Message {
  readonly id: number;
  readonly name: string;
  readonly text: string;
}

const list = document.querySelector("#messages") as HTMLUListElement;
const form = document.querySelector("form") as HTMLFormElement;
const messages = new Map<number, Message>();

async function connect(): Promise<void> {
  const socket = new WebSocket(await (await fetch("/socket")).text());
  socket.onopen = () => socket.send(JSON.stringify({ event: "subscribe", data: { channel: "chat" } }));
  socket.onmessage = async ({ data }) => {
    const frame = JSON.parse(data);
    // History is read after subscribing, so that nothing falls in between. After a reconnect it fills the gap.
    if (frame.event === "subscribed") show(await (await fetch("/messages")).json());
    if (frame.event === "message") show([frame.data]);
  };
  socket.onclose = () => setTimeout(connect, 1_000 + 1_000 * Math.random());
}

/** A message may come twice, and live ones before the history: its id says which and where it is. */
function show(more: readonly Message[]): void {
  for (const message of more) messages.set(message.id, message);
  const inOrder = [...messages.values()].sort((a, b) => a.id - b.id);
  list.replaceChildren(
    ...inOrder.map(({ name, text }) => {
      const item = document.createElement("li");
      item.textContent = `${name}: ${text}`;
      return item;
    }),
  );
}

form.onsubmit = async (event) => {
  event.preventDefault();
  await fetch("/messages", { method: "POST", body: new FormData(form) });
  (form.elements.namedItem("text") as HTMLInputElement).value = "";
};

await connect();

// Top-level await is for modules, and this is what makes it one.
export {};
