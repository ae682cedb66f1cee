/** Keeps the list of those who are here. A user with three tabs is one user. */

interface Person {
  readonly id: string;
  readonly info?: { readonly name: string };
}

const list = document.querySelector("#people") as HTMLUListElement;
const count = document.querySelector("#count") as HTMLOutputElement;
const people = new Map<string, Person>();

async function connect(): Promise<void> {
  const socket = new WebSocket(await (await fetch(`/socket${location.search}`)).text());
  socket.onopen = () => socket.send(JSON.stringify({ event: "subscribe", data: { channel: "presence-office" } }));
  socket.onmessage = ({ data: frame }) => {
    const { event, data } = JSON.parse(frame);
    if (event === "subscribed") {
      people.clear();
      for (const person of data.members) people.set(person.id, person);
    }
    if (event === "member_added") people.set(data.user.id, data.user);
    if (event === "member_removed") people.delete(data.user.id);
    show();
  };
  socket.onclose = () => setTimeout(connect, 1_000 + 1_000 * Math.random());
}

function show(): void {
  count.value = String(people.size);
  list.replaceChildren(
    ...Array.from(people.values(), ({ id, info }) => {
      const item = document.createElement("li");
      item.textContent = info?.name ?? id;
      return item;
    }),
  );
}

await connect();

// Top-level await is for modules, and this is what makes it one.
export {};
