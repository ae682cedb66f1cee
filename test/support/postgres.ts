/** A real PostgreSQL in a new folder and on a free port, gone with the test that asked for it. */

import { dirname, join } from "node:path";
import { type DatabaseServer, finish, folderOwnedBy, startDatabase } from "./database-server.ts";
import { external } from "./external.ts";
import { freePort } from "./ports.ts";

const PROGRAMS = dirname(external("postgres"));

export async function startPostgres(): Promise<DatabaseServer> {
  const bin = (name: string) => join(PROGRAMS, name);
  const folder = folderOwnedBy("postgres");
  const data = join(folder, "data");
  // PostgreSQL will not run as root.
  const asUser = (command: readonly string[]) =>
    process.getuid?.() === 0
      ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", ...command]
      : command;
  finish(asUser([bin("initdb"), "-D", data, "-U", "fanfare", "-A", "trust", "--no-sync"]));
  const port = await freePort();
  return startDatabase(`postgres://fanfare@127.0.0.1:${port}/postgres`, () =>
    asUser([bin("postgres"), "-D", data, "-p", String(port), "-k", folder, "-h", "127.0.0.1", "-F"]),
  );
}
