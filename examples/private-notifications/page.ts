/** Hears what is for the user that the token names. Nothing has to be subscribed for that. */

const list = document.querySelector("#notifications") as HTMLUListElement;
const status = document.querySelector("#status") as HTMLParagraphElement;
const form = document.querySelector("form") as HTMLFormElement;

async function connect(): Promise<void> {
  const socket = new WebSocket(await (await fetch(`/socket${location.search}`)).text());
  socket.onmessage = ({ data: frame }) => {
    const { event, data } = JSON.parse(frame);
    if (event === "welcome") status.textContent = `Signed in as ${data.user.id}`;
    if (event !== "notification") return;
    const item = document.createElement("li");
    item.textContent = data.text;
    list.append(item);
  };
  socket.onclose = () => setTimeout(connect, 1_000 + 1_000 * Math.random());
}

form.onsubmit = async (event) => {
  event.preventDefault();
  await fetch("/notify", { method: "POST", body: new FormData(form) });
};

await connect();

// Top-level await is for modules, and this is what makes it one.
export {};
