/** Calls about users: who is connected, and one of them. */

import type { App } from "../../domain/app.ts";
import { checkUserId } from "../../hub/limits.ts";
import { hasRole } from "../access.ts";
import type { Ban, PeopleList, PersonDetail } from "../api-types.ts";
import { appOf, type Call, type Handler, idIn, limitOf } from "../call.ts";

const MAX_PEOPLE = 200;
/** How far back in the audit log bans are looked for, and how many of one user are. */
const AUDIT_ENTRIES = 500;
const MAX_BANS = 50;
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

/** What the engine keeps of a ban has to be asked for by channel; which channels, the audit log says. */
async function bansOf({ services, principal }: Call, app: App, user: string): Promise<readonly Ban[]> {
  const { audit, hub } = services;
  const latest = new Map<string, Omit<Ban, "untilMs">>();
  for (const { what, who: by, atMs, detail } of await audit.list(AUDIT_ENTRIES)) {
    const { channel } = detail;
    if (what !== "user.ban" || detail.app !== app.id || detail.user !== user || typeof channel !== "string") continue;
    // Only those who may read the audit log are told who it was.
    const known = { channel, atMs, ...(hasRole(principal, "operate") && { by }) };
    if (!latest.has(channel) && latest.size < MAX_BANS) latest.set(channel, known);
  }
  const bans = [...latest.values()].map(async (ban) => {
    return { ...ban, untilMs: await hub.steering.banEnd(app, ban.channel, user) };
  });
  const nowMs = hub.clock.wallMs();
  return (await Promise.all(bans)).filter(({ untilMs }) => untilMs > nowMs);
}

function userOf(call: Call): { readonly app: App; readonly user: string } {
  const [app, user] = [appOf(call), call.params.id ?? ""];
  checkUserId(app, user);
  return { app, user };
}
