/** From one version to another and back: what an older version kept is there, and what a newer one made is not touched. */

import { Database as Sqlite } from "bun:sqlite";
import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { runCli, startProcess } from "../support/process.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(60_000);

const FIXTURES = join(import.meta.dir, "..", "fixtures", "database");
const WRITTEN_AT = "1795176000000";
const RECEIVER = "http://127.0.0.1:65000/hook";

/** A state folder as that version leaves it, a minute ago. */
function leftBy(version: string, receiver: string): { readonly cwd: string; readonly file: string } {
  const cwd = temporaryFolder();
  const file = join(cwd, "fanfare.db");
  const text = readFileSync(join(FIXTURES, `${version}.sql`), "utf8");
  const now = text.replaceAll(WRITTEN_AT, String(Date.now() - 60_000)).replaceAll(RECEIVER, receiver);
  const database = new Sqlite(file);
  database.run(now);
  database.close();
  return { cwd, file };
}

function rows(file: string, sql: string): unknown[] {
  const database = new Sqlite(file);
  try {
    return database.query(sql).all();
  } finally {
    database.close();
  }
}

test("what 0.1.0 kept survives the upgrade: apps, statistics, the audit log, and webhooks that wait", async () => {
  const hooks: string[] = [];
  using receiver = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      hooks.push(await request.text());
      return new Response();
    },
  });
  const { cwd, file } = leftBy("0.1.0", `${receiver.url.origin}/hook`);
  const env = { FANFARE_STATE_DIR: cwd, FANFARE_WEBHOOKS_ALLOW_PRIVATE: "true" };
  const server = await startProcess({ cwd, config: null, env });
  const app = { id: "shop", key: "shop-key", secret: "shop-secret" };
  expect((await signedFetch(server.url, app, "GET", "/channels")).status).toBe(200);
  await eventually(() => expect(hooks.join()).toContain('"channel_occupied"'), { withinMs: 30_000 });
  expect((await server.stop()).code).toBe(0);
  expect(
    rows(file, "select app, node, peak_connections, bytes_out from fanfare_statistics where node = 'node-1'"),
  ).toEqual([{ app: "shop", node: "node-1", peak_connections: 41, bytes_out: 5 }]);
  expect(rows(file, "select who, what from fanfare_audit where id = 1")).toEqual([{ who: "admin", what: "app.add" }]);
});

test("what a newer version made is refused in a line that says what to do, and left as it is", async () => {
  const { cwd, file } = leftBy("0.1.0", RECEIVER);
  const database = new Sqlite(file);
  database.run("insert into fanfare_migrations values ('2099-01-later', '2099-01-01T00:00:00.000Z')");
  database.close();
  for (const command of [["serve", "--port", "0"], ["apps", "list"], ["migrate"]]) {
    const { code, stderr } = await runCli(command, { cwd, env: { FANFARE_STATE_DIR: cwd } });
    expect([command, code]).toEqual([command, 1]);
    expect(stderr).toMatch(
      /^fanfare: sqlite:\S*fanfare\.db was made by a newer version \(2099-01-later\): .*restore the copy.*\n$/,
    );
  }
  expect(rows(file, "select count(*) as count from fanfare_apps")).toEqual([{ count: 1 }]);
});
