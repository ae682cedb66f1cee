/** Shows the figures as they come. */

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
let updates = 0;

async function connect(): Promise<void> {
  const socket = new WebSocket(await (await fetch("/socket")).text());
  socket.onopen = () => socket.send(JSON.stringify({ event: "subscribe", data: { channel: "cache-metrics" } }));
  socket.onmessage = ({ data: frame }) => {
    const { event, data } = JSON.parse(frame);
    if (event !== "metrics") return;
    element<HTMLMeterElement>("load").value = data.load;
    element<HTMLMeterElement>("memory").value = data.memory;
    element<HTMLOutputElement>("viewers").value = String(data.viewers);
    element<HTMLOutputElement>("updates").value = String(++updates);
  };
  socket.onclose = () => setTimeout(connect, 1_000 + 1_000 * Math.random());
}

await connect();

// Top-level await is for modules, and this is what makes it one.
export {};
