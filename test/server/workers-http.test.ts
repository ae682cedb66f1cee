/** pusher-js over HTTP on several workers: the kernel gives each connection to any of them. */

import { expect, test } from "bun:test";
import { startBackend } from "../conformance/backend.ts";
import { connectClient, type Heard, own, type PusherTransport } from "../conformance/pusher-js.ts";
import { eventually } from "../support/eventually.ts";
import { startWorkers } from "../support/workers.ts";

const program = await startWorkers({ workers: 3 });
const port = Number(new URL(program.url).port);
const backend = startBackend({ port });
const CLIENTS = 6;
const EVENTS = 20;

test.each<PusherTransport>(["xhr_streaming", "xhr_polling"])(
  "%s: members, events of clients and of the back end reach all, in order and once",
  async (transport) => {
    const name = `presence-${transport}`;
    const joined = [];
    for (let n = 0; n < CLIENTS; n++) {
      const client = await connectClient({ port, transport }, backend, { user: `u${n}` });
      joined.push({ client, ...(await client.subscribe(name)) });
    }
    for (const { channel } of joined) channel.trigger("client-hello", {});
    for (let n = 0; n < EVENTS; n++) await backend.library.trigger(name, "e", n);
    for (const { client, heard } of joined) {
      await eventually(() => expect(own(heard)).toHaveLength(CLIENTS - 1 + EVENTS));
      const numbers = own(heard).flatMap(([event, data]: Heard) => (event === "e" ? [data] : []));
      expect([numbers, client.errors]).toEqual([Array.from({ length: EVENTS }, (_, n) => n), []]);
    }
  },
  60_000,
);
