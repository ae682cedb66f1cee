/** Shows the chat: loaded once, then kept up to date, also over a reconnect. */

import { createClient, createLive } from "@fanfare/client";

interface Message {
  readonly id: number;
  readonly name: string;
  readonly text: string;
}

const list = document.querySelector("ul") as HTMLUListElement;
const form = document.querySelector("form") as HTMLFormElement;

const client = createClient({ url: () => fetch("/socket").then((answer) => answer.text()) });

const chat = createLive(client.channel("chat"), {
  load: ({ signal }) => fetch("/messages", { signal }).then((answer) => answer.json()),
  // A message that was loaded already may come again.
  apply: (messages: Message[], { data }) => {
    const message = data as Message;
    return messages.some(({ id }) => id === message.id) ? messages : [...messages, message];
  },
});

chat.subscribe(() => {
  const { value = [], status } = chat.snapshot;
  list.ariaBusy = String(status !== "live");
  list.replaceChildren(
    ...value.map(({ name, text }) => {
      const item = document.createElement("li");
      item.textContent = `${name}: ${text}`;
      return item;
    }),
  );
});

form.onsubmit = async (event) => {
  event.preventDefault();
  await fetch("/messages", { method: "POST", body: JSON.stringify(Object.fromEntries(new FormData(form))) });
  (form.elements.namedItem("text") as HTMLInputElement).value = "";
};
