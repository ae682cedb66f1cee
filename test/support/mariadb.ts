/** A real MariaDB in a new folder and on a free port, gone with the test that asked for it. */

import { join } from "node:path";
import { type DatabaseServer, finish, folderOwnedBy, startDatabase } from "./database-server.ts";
import { external } from "./external.ts";
import { freePort } from "./ports.ts";

export async function startMariaDb(): Promise<DatabaseServer> {
  const folder = folderOwnedBy("mysql");
  const data = join(folder, "data");
  const user = process.getuid?.() === 0 ? ["--user=mysql"] : [];
  finish([
    "mariadb-install-db",
    "--no-defaults",
    `--datadir=${data}`,
    "--auth-root-authentication-method=normal",
    ...user,
  ]);
  const port = await freePort();
  const socket = join(folder, "s");
  return startDatabase(`mysql://root@127.0.0.1:${port}/test`, () => [
    external("mariadbd"),
    "--no-defaults",
    `--datadir=${data}`,
    `--port=${port}`,
    "--bind-address=127.0.0.1",
    `--socket=${socket}`,
    // A MariaDB that starts removes what others have in a folder for temporary tables that they share.
    `--tmpdir=${folder}`,
    "--skip-name-resolve",
    "--innodb-flush-log-at-trx-commit=0",
    ...user,
  ]);
}
