/** Votes, and shows how it stands. */

const note = document.querySelector("#note") as HTMLParagraphElement;
const buttons = Array.from(document.querySelectorAll("button"));
let socket: WebSocket;

async function connect(): Promise<void> {
  socket = new WebSocket(await (await fetch("/socket")).text());
  socket.onopen = () => socket.send(JSON.stringify({ event: "subscribe", data: { channel: "poll" } }));
  socket.onmessage = async ({ data: frame }) => {
    const { event, id, data, message } = JSON.parse(frame);
    if (event === "subscribed") show(await (await fetch("/results")).json());
    if (event === "poll-results") show(data);
    // The answer to one's own vote repeats its id.
    if (id === "vote") note.textContent = event === "result" ? "Counted." : message;
  };
  socket.onclose = () => setTimeout(connect, 1_000 + 1_000 * Math.random());
}

function show(results: Record<string, number>): void {
  for (const button of buttons) {
    const output = button.querySelector("output");
    if (output) output.value = String(results[button.value] ?? 0);
  }
}

for (const button of buttons) {
  button.onclick = () =>
    socket.send(JSON.stringify({ event: "poll-vote", id: "vote", data: { option: button.value } }));
}

await connect();

// Top-level await is for modules, and this is what makes it one.
export {};
