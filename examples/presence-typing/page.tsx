/** @jsxImportSource react */
/** Two rooms: their members, and who of them is typing. A room is left when another is shown. */

import { createClient } from "@fanfare/client";
import { FanfareProvider, useChannel, useEvent, useMembers } from "@fanfare/client/react";
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const client = createClient({
  url: () => fetch("/socket").then((answer) => answer.text()),
  token: () => fetch(`/token${location.search}`).then((answer) => answer.text()),
});

function Room({ name }: { name: string }) {
  const { publish } = useChannel(name);
  const { members, me } = useMembers(name);
  const typing = useTyping(name);
  return (
    <>
      <ul>
        {members.map(({ id, info }) => (
          <li key={id}>
            {(info as { name: string }).name}
            {id === me?.id && " (you)"}
            {typing.has(id) && " is typing"}
          </li>
        ))}
      </ul>
      {/* Now or never: nobody wants to know later who was typing. */}
      <input onInput={() => publish("client-typing", {}, { volatile: true }).catch(() => {})} />
    </>
  );
}

/** The ids of those who typed within the last two seconds. */
function useTyping(name: string): ReadonlySet<string> {
  const [typing, setTyping] = useState<ReadonlyMap<string, number>>(new Map());
  useEvent(name, "client-typing", (_, { user = "" }) => setTyping((all) => new Map(all).set(user, Date.now())));
  useEffect(() => {
    const timer = setInterval(() => {
      setTyping((all) => (all.size > 0 ? new Map([...all].filter(([, at]) => at > Date.now() - 2_000)) : all));
    }, 500);
    return () => clearInterval(timer);
  }, []);
  return new Set(typing.keys());
}

function App() {
  const [room, setRoom] = useState("presence-room-tea");
  return (
    <FanfareProvider client={client}>
      <button type="button" onClick={() => setRoom("presence-room-tea")}>
        Tea
      </button>
      <button type="button" onClick={() => setRoom("presence-room-coffee")}>
        Coffee
      </button>
      <Room name={room} />
    </FanfareProvider>
  );
}

createRoot(document.querySelector("#root") as HTMLElement).render(<App />);
