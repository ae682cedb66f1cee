/** The code behind the board, and how others' code comes onto it. */

import { nodePublish } from "../../back-end-snippets.ts";
import { address, echoClient, type Place, plainClient, pusherClient } from "../../snippets.ts";

/** What a line of code does, and the page counts. */
export type Hit = "cursor" | "note" | "member" | "recovered" | "send" | "public";

export interface Snippet {
  readonly title: string;
  readonly code: string;
  /** The lines that count, by what stands in them. */
  readonly hits: Readonly<Record<string, Hit>>;
}

/** Public, so that the code works in anybody's program: what is published there becomes a note. */
const TARGET = { channel: "workshop", event: "note" };

export function snippets(place: Place): readonly Snippet[] {
  return [
    {
      title: "Fanfare client",
      code: boardClient(place),
      hits: {
        'at.on("': "cursor",
        'room.on("': "note",
        "room.onJoin": "member",
        "if (room.": "recovered",
        "at.publish": "send",
      },
    },
    { title: "pusher-js", code: pusherClient(place, TARGET), hits: { ".bind(": "public" } },
    { title: "Laravel Echo", code: echoClient(place, TARGET), hits: { ".listen(": "public" } },
    { title: "WebSocket", code: plainClient(place, TARGET, true), hits: { onmessage: "public" } },
    { title: "Back end", code: nodePublish(place, TARGET), hits: { "pusher.trigger": "public" } },
    { title: "Shell", code: shell(place), hits: { "fanfare publish": "public" } },
  ];
}

function boardClient(place: Place): string {
  return `import { createClient } from "@fanfare/client";

const url = "${address(place, "http")}";
const token = async () => (await (await fetch(
  url + "/demo/token")).json()).token;
const client = createClient({ url, token });
const room = client.channel("presence-workshop");
const at = client.channel("private-workshop-cursors");

at.on("client-cursor", console.log);
room.on("note", console.log);
room.onJoin(console.log);
room.subscribe(() => {
  if (room.snapshot.recovered) console.log("whole");
});

at.publish("client-cursor", { x: 1, y: 0 });`;
}

function shell(place: Place): string {
  const url = address(place, "http");
  const target = url === "http://localhost:9501" ? "" : ` --url ${url}`;
  return `# in the folder where the server was started
npx fanfare publish workshop note '{"text":"Hello, board"}'${target}
npx fanfare listen workshop${target}`;
}
