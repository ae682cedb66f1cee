/** Coming into a channel and leaving it: in the audience, in the registry, and in what observers hear. */

import type { Connection } from "../domain/connection.ts";
import type { HubEvent } from "../domain/hub-event.ts";
import { type Membership, Memberships } from "../domain/memberships.ts";
import type { EventPublication, Member, Resume } from "../domain/message.ts";
import type { Broker } from "../domain/ports.ts";
import type { Audience } from "./audience.ts";
import { utf8Bytes } from "./limits.ts";
import { PendingPresenceChanges } from "./pending-presence.ts";
import type { PresenceRegistrar } from "./presence-registrar.ts";
import type { Quotas } from "./quotas.ts";
import { type CatchUp, withCatchUp } from "./recovery.ts";
import type { Tenant } from "./tenant.ts";
import type { Tenants } from "./tenants.ts";

/** Answers a subscriber: the members where the channel has any, and what it is handed of the channel's past. */
export type JoinReply = (members: readonly Member[] | undefined, past: CatchUp) => void;

interface Host {
  readonly broker: Broker;
  readonly places: Quotas;
  readonly roster: PresenceRegistrar;
  readonly tenants: Tenants;
  /** Most bytes that wait for one reader. */
  readonly outboundBufferBytes: () => number;
  observe(event: HubEvent): void;
}

/** See `Hub.join`. */
export async function join(
  host: Host,
  connection: Connection,
  name: string,
  member: Membership,
  answer: JoinReply,
  resume?: Resume,
): Promise<void> {
  const tenant = host.tenants.of(connection.app);
  const audience = tenant.retain(name);
  let members: readonly Member[] | undefined;
  let movements: PendingPresenceChanges | undefined;
  /** What observers hear once they know that the channel is occupied. */
  const news: HubEvent[] = [];
  let tuned = false;
  try {
    await audience.attached;
    if (connection.closed) return;
    const seated = host.places.acquireSubscriber(connection, audience);
    if (seated instanceof Promise) await seated;
    if (connection.closed) return;
    movements = member && new PendingPresenceChanges(audience);
    const joined = member && (await host.roster.join(connection, audience, member));
    members = joined?.members;
    if (member && joined?.isFirst) news.push({ type: "joined", app: tenant.app, channel: name, member });
    const bytes = host.outboundBufferBytes() - (connection.socket?.getBufferedAmount() ?? 0);
    const weigh = (event: EventPublication) => utf8Bytes(connection.protocol.encode(event) ?? "");
    await withCatchUp({ broker: host.broker, app: tenant.app, audience, resume, bytes, weigh }, (past, upTo) => {
      if (connection.closed) return;
      answer(member && members && movements ? movements.applyTo(members, member) : members, past);
      if (past.isMissing) news.push({ type: "missed", app: tenant.app, channel: name });
      connection.memberships ??= new Memberships();
      connection.memberships.set(name, member);
      audience.addSubscriber(connection, upTo);
      tuned = true;
    });
  } finally {
    movements?.end();
    if (!tuned) for (const fact of news) host.observe(fact);
    if (!tuned) await cancelJoin(host, connection, tenant, audience, members && member);
  }
  if (!tuned) return;
  host.observe({ type: "subscribed", connection, channel: name });
  await host.roster.updateSubscriberCount(tenant.app, audience, news);
}

export async function leave(host: Host, connection: Connection, name: string): Promise<void> {
  const tenant = host.tenants.get(connection.app.id);
  const audience = tenant?.audiences.get(name);
  if (!tenant || !audience || !connection.memberships?.has(name)) return;
  const member = connection.memberships.get(name);
  connection.memberships.delete(name);
  audience.removeSubscriber(connection);
  host.places.releaseSubscriber(connection, audience);
  host.observe({ type: "unsubscribed", connection, channel: name });
  audience.leaving++;
  try {
    if (member) await host.roster.leave(connection, audience, member);
  } finally {
    audience.leaving--;
    await host.roster.updateSubscriberCount(tenant.app, audience);
    host.tenants.release(tenant, audience);
  }
}

/** Undoes a join that did not come to its end. */
async function cancelJoin(
  host: Host,
  connection: Connection,
  tenant: Tenant,
  audience: Audience,
  member: Membership,
): Promise<void> {
  host.places.releaseSubscriber(connection, audience);
  try {
    if (member) await host.roster.leave(connection, audience, member);
  } finally {
    host.tenants.release(tenant, audience);
  }
}
