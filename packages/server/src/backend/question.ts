/** What every hook says of the connection that it is about, as JSON text: what its author wrote stays as it was written. */

import type { Connection } from "../domain/connection.ts";
import type { User } from "../domain/message.ts";
import { userInfoJson } from "../domain/user-info.ts";

/** The members of a JSON object, from the JSON text of each; without those that are undefined. */
export function members(texts: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(texts)
    .flatMap(([key, text]) => (text === undefined ? [] : `${JSON.stringify(key)}:${text}`))
    .join(",");
}

/** `user` where the connection is not yet that user's. */
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
