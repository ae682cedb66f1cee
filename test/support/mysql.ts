/** A MySQL server that `TEST_MYSQL_URL` names: nothing installs one, so tests run on it only where it is given. */

import { sql } from "kysely";
import { openDatabase } from "../../packages/server/src/database/open.ts";
import { atEnd } from "./at-end.ts";

/** The address of a new database there, which is dropped at the end of the file. */
export async function givenMysql(): Promise<string | undefined> {
  const { TEST_MYSQL_URL: given } = process.env;
  if (!given) return undefined;
  const server = await openDatabase(given, { isForeign: true });
  const name = `fanfare_test_${crypto.randomUUID().slice(0, 8)}`;
  await sql`create database ${sql.id(name)}`.execute(server.query);
  atEnd(async () => {
    await sql`drop database ${sql.id(name)}`.execute(server.query);
    await server.close();
  });
  return Object.assign(new URL(given), { pathname: `/${name}` }).href;
}
