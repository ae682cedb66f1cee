/** What a hook sends, as JSON text: what its author wrote of a user stays as it was written. */

import type { App } from "./app.ts";
import type { Connection } from "./connection.ts";
import type { User } from "./message.ts";
import { userInfoJson } from "./user-info.ts";

/** `body` is the JSON text of an object's members. */
export function hookBody({ id: app }: App, hook: string, id: string, timeMs: number, body: string): string {
  const first = members({ hook: `"${hook}"`, id: `"${id}"`, time_ms: String(timeMs), app: JSON.stringify(app) });
  return `{${first}${body === "" ? "" : `,${body}`}}`;
}

/** The members of a JSON object, from the JSON text of each; without those that are undefined. */
export function members(texts: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(texts)
    .flatMap(([key, text]) => (text === undefined ? [] : `${JSON.stringify(key)}:${text}`))
    .join(",");
}

/** What every hook says of the connection, as JSON text: what its author wrote stays as it was written. `user` where the connection is not yet that user's. */
export function about(connection: Connection, user: User | undefined = connection.user): string {
  const { id, address, protocol, transport, backend } = connection;
  return members({
    connection: `{${members({
      id: JSON.stringify(id),
      address: JSON.stringify(address),
      transport: JSON.stringify(transport),
      protocol: JSON.stringify(protocol.name),
      meta: backend?.meta,
    })}}`,
    user: user ? `{${members({ id: JSON.stringify(user.id), info: userInfoJson(user) })}}` : "null",
  });
}
