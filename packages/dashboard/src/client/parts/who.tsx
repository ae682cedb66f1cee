/** Who did it: a person by its name, the back end, Fanfare itself, or somebody who has not said who it is. */

import type { FeedEntry } from "fanfare/wire/admin";
import { nameOfUser, userOfConnection } from "../names.ts";
import { Icon } from "./icon.tsx";
import { Person } from "./person.tsx";

interface WhoProps extends Pick<FeedEntry, "type"> {
  readonly app?: string | undefined;
  readonly user?: string | undefined;
  readonly address?: string | undefined;
  readonly connection?: string | undefined;
}

/** The id of the person, as far as is known. */
export function personIn({ app, user, connection }: Pick<WhoProps, "app" | "user" | "connection">): string | undefined {
  return user ?? (connection === undefined ? undefined : userOfConnection(app, connection));
}

export function Who(entry: WhoProps) {
  const { type, app, address, connection } = entry;
  const user = personIn(entry);
  if (user !== undefined) return <Person id={user} name={nameOfUser(app, user)} />;
  if (type === "webhook") return <span class="soft">Fanfare</span>;
  if (type === "api_message" || (type === "refused" && connection === undefined)) {
    return (
      <span class="person-cell">
        <Icon name="server" isSmall />
        <span class="what">API {address}</span>
      </span>
    );
  }
  if (connection !== undefined) {
    return (
      <span class="what soft" title={connection}>
        anonymous <span class="mono">{connection}</span>
      </span>
    );
  }
  return <span class="what soft">{address}</span>;
}
