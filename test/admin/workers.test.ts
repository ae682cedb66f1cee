/** The dashboard of a server with several workers: whichever of them answers, it is the same one. */

import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AppDetail, AppWithSecret, FeedBatch } from "../../packages/server/src/admin/api-types.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { oneOnEach, startWorkers } from "../support/workers.ts";
import { signedIn, USERS } from "./visitor.ts";

/** Another connection each time, so that now one worker answers and now the other. */
const ANEW = { headers: { Connection: "close" } };

test("an app that is made at one worker is everywhere at once, and what happens at any is seen", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-dashboard-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
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
  const nodes = () =>
    new Set(live.socket.frames.filter(({ event }) => event === "feed").map(({ data }) => (data as FeedBatch).node));
  await eventually(
    async () => {
      await oneOnEach(url, 2);
      expect(nodes().size).toBe(2);
    },
    { withinMs: 15_000, everyMs: 100 },
  );
}, 60_000);
