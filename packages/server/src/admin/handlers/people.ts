/** Calls about users: who is connected, and one of them. */

import type { App } from "../../domain/app.ts";
import { checkUserId } from "../../hub/limits.ts";
import { hasRole } from "../access.ts";
import type { Ban, PeopleList, PersonDetail } from "../api-types.ts";
import { appOf, type Call, type Handler, idIn, limitOf } from "../call.ts";

const MAX_PEOPLE = 200;
/** How far back in the audit log is looked for who made a ban. */
const AUDIT_ENTRIES = 500;

export const people: Handler = (call): Promise<PeopleList> => {
  const app = idIn(call);
  const [search, after] = [call.query.get("search"), call.query.get("after")];
  return call.services.people.list({
    ...(app !== undefined && { app }),
    ...(search && { search: search.slice(0, 200) }),
    ...(after && { after: after.slice(0, 400) }),
    limit: limitOf(call, 100, MAX_PEOPLE),
  });
};

export const person: Handler = async (call): Promise<PersonDetail> => {
  const { app, user } = userOf(call);
  const [found, bans] = await Promise.all([call.services.people.person(app, user), bansOf(call, app, user)]);
  return { ...found, bans };
};

/** As the engine knows them, whoever made them; who it was, the audit log says to those who may read it. */
async function bansOf({ services, principal }: Call, app: App, user: string): Promise<readonly Ban[]> {
  const { audit, hub } = services;
  const bans = await hub.steering.bansOf(app, user);
  if (bans.length === 0 || !hasRole(principal, "operate")) return bans;
  const makers = new Map<string, string>();
  for (const { what, who, detail } of await audit.list(AUDIT_ENTRIES)) {
    const { channel } = detail;
    if (what !== "user.ban" || detail.app !== app.id || detail.user !== user || typeof channel !== "string") continue;
    if (!makers.has(channel)) makers.set(channel, who);
  }
  return bans.map((ban) => {
    const by = makers.get(ban.channel);
    return by === undefined ? ban : { ...ban, by };
  });
}

function userOf(call: Call): { readonly app: App; readonly user: string } {
  const [app, user] = [appOf(call), call.params.id ?? ""];
  checkUserId(app, user);
  return { app, user };
}
