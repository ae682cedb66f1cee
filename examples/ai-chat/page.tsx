/** @jsxImportSource react */
/** The chat. Reload it while an answer is written, or open its address in a second tab: the answer goes on. */

import { Chat, useChat } from "@ai-sdk/react";
import { createClient } from "@fanfare/client";
import { fanfareChat, type StreamEvent } from "@fanfare/client/ai";
import { FanfareProvider, useEvent } from "@fanfare/client/react";
import { createRoot } from "react-dom/client";

location.hash ||= Math.random().toString(36).slice(2);
const id = location.hash.slice(1);
const channel = `chat-${id}`;

const client = createClient({ url: () => fetch("/socket").then((answer) => answer.text()) });
// Made outside of the component: useChat stops the answer of a chat of its own when the component goes.
const chat = new Chat({ id, transport: fanfareChat({ client, channel: (id) => `chat-${id}` }) });

async function load() {
  chat.messages = await (await fetch(`/api/chat?id=${id}`)).json();
}

/** Loads once more at the end, in case the answer ended between the first load and the look for it. */
async function resume() {
  await load();
  await chat.resumeStream();
  await load();
}

function App() {
  const { messages, status, error, sendMessage, stop } = useChat({ chat });
  // Another tab has asked.
  useEvent(channel, "stream", (data) => {
    const { type, seq } = data as StreamEvent;
    if (type === "start" && seq === 0 && chat.status === "ready") void resume();
  });
  const send = (form: FormData) => void sendMessage({ text: String(form.get("text")) });
  return (
    <>
      <ul>
        {messages.map(({ id, role, parts }) => (
          <li key={id}>{`${role}: ${parts.map((part) => (part.type === "text" ? part.text : "")).join("")}`}</li>
        ))}
      </ul>
      <p id="status">{error ? error.message : status}</p>
      <form action={send}>
        <input name="text" placeholder="Ask something" required autoComplete="off" />
        <button type="submit">Send</button>
        <button type="button" onClick={stop} disabled={status === "ready"}>
          Stop
        </button>
      </form>
    </>
  );
}

createRoot(document.querySelector("#root") as HTMLElement).render(
  <FanfareProvider client={client}>
    <App />
  </FanfareProvider>,
);
void resume();
