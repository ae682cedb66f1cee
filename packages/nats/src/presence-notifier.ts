/** Sends what changed in the cluster's state to this node's channels, and as facts to its observers. */

import {
  joinPublication,
  leavePublication,
  type PresenceEntry,
  type Publication,
  type RegistryChange,
  updatePublication,
} from "fanfare/engine";
import type { Change, ClusterState } from "./cluster-state.ts";
import { channelOf } from "./registry-event.ts";
import { differenceOf } from "./shown-member.ts";

export interface PresenceAudience {
  receive(publication: Publication): void;
  isSubscribed(app: string, channel: string): boolean;
}

export function notify(audience: PresenceAudience, changes: readonly Change[]): void {
  for (const change of changes) {
    const { app, channel } = change.type === "joined" ? change.entry : change;
    const publication = publicationOf(change);
    if (publication && audience.isSubscribed(app, channel)) audience.receive(publication);
  }
}

function publicationOf(change: Change): Publication | undefined {
  switch (change.type) {
    case "joined":
      return joinPublication(change.entry);
    case "left":
      return leavePublication(change);
    case "updated":
      return updatePublication(change);
    case "occupied":
    case "vacated":
    case "counted":
      return undefined;
  }
}

/** Who joined, changed and left while this node was not connected. */
export function notifyDifference(audience: PresenceAudience, before: ClusterState, after: ClusterState): void {
  for (const { app, channel, member } of before.present()) {
    if (after.holders(app, channel, member.id) === 0) notify(audience, [{ type: "left", app, channel, member }]);
  }
  for (const entry of after.present()) {
    const change = changeSince(before, entry);
    if (change) notify(audience, [change]);
  }
}

function changeSince(before: ClusterState, entry: PresenceEntry): Change | undefined {
  const { app, channel, member } = entry;
  const shown = before.shown(app, channel, member.id);
  if (!shown) return { type: "joined", entry };
  const difference = differenceOf(shown.member, member);
  return difference && { type: "updated", app, channel, member: difference };
}

/** Of what observers are notified; of members' updates they are not. */
export function registryChangesOf(changes: readonly Change[]): readonly RegistryChange[] {
  return changes.flatMap((change) => (change.type === "updated" ? [] : registryChangeOf(change)));
}

function registryChangeOf(change: Exclude<Change, { type: "updated" }>): RegistryChange {
  switch (change.type) {
    case "joined":
      return { type: "joined", ...channelOf(change.entry), member: change.entry.member };
    case "left":
      return { type: "left", ...channelOf(change), member: { id: change.member.id } };
    case "occupied":
    case "vacated":
    case "counted":
      return { ...channelOf(change), type: change.type };
  }
}
