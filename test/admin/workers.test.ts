/** The dashboard of a server with several workers: whichever of them answers, it is the same one. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import type { AppDetail, AppWithSecret, AuditEntry, FeedBatch } from "../../packages/server/src/admin/api-types.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { oneOnEach, startWorkers } from "../support/workers.ts";
import { signedIn, USERS } from "./visitor.ts";

/** Another connection each time, so that now one worker answers and now the other. */
const ANEW = { headers: { Connection: "close" } };

test("what the first process does itself is in the audit log that workers show, once", async () => {
  const folder = temporaryFolder();
  const server = await startWorkers({
    dashboard: { users: USERS },
    database: { url: `sqlite:${join(folder, "fanfare.db")}` },
  });
  const otto = await signedIn(server.url, "otto");
  server.signal("SIGUSR2");
  await server.prints(/^told /m);
  await eventually(async () => {
    const { body } = await otto.ask<AuditEntry[]>("api/audit", ANEW);
    const told = body.toReversed().filter(({ what }) => what !== "session.start");
    expect(told.map(({ who, what, detail }) => [who, what, detail])).toEqual([
      ["app app", "channel.kick", { app: "app", channel: "emptied", connections: 0 }],
      ["app app", "history.purge", { app: "app", channel: "emptied", purged: 0 }],
    ]);
  });
});

test("an app that is made at one worker is everywhere at once, and what happens at any is seen", async () => {
  const folder = temporaryFolder();
  const { url } = await startWorkers({
    dashboard: { users: USERS },
    database: { url: `sqlite:${join(folder, "fanfare.db")}` },
  });
  const anna = await signedIn(url, "anna");
  for (const name of ["one", "two", "three"]) {
    const made = await anna.post<AppWithSecret>("api/apps", { name, anonymous: true }, ANEW);
    expect(made.status).toBe(200);
    const at = `api/apps/${made.body.app.id}`;
    // The first process polls the table, and tells the workers.
    await eventually(
      async () => {
        for (let time = 0; time < 8; time++) {
          expect((await anna.ask<AppDetail>(at, ANEW)).body).toMatchObject({ name, source: "database" });
          await (await connectNative(url, { app: made.body.app.key })).close();
        }
      },
      { withinMs: 15_000, everyMs: 100 },
    );
    expect((await anna.ask(at, { method: "DELETE", ...ANEW })).status).toBe(200);
  }
  const live = await anna.watch();
  await live.subscribe({ type: "feed", types: ["connected"] });
  const nodes = (name = "feed") =>
    new Set(live.socket.frames.filter(({ event }) => event === name).map(({ data }) => (data as FeedBatch).node));
  await eventually(
    async () => {
      await oneOnEach(url, 2);
      expect(nodes().size).toBe(2);
    },
    { withinMs: 15_000, everyMs: 100 },
  );
  for (const type of ["seconds", "channels"] as const) await live.subscribe({ type });
  await eventually(
    () => expect(["seconds", "earlier_seconds", "channels"].map((name) => nodes(name).size)).toEqual([2, 2, 2]),
    { withinMs: 15_000 },
  );
}, 60_000);
