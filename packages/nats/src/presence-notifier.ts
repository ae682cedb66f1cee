/** Sends what changed in the cluster's state to this node's channels, and as facts to its observers. */

import { joinPublication, leavePublication, type Publication, type RegistryChange } from "fanfare/engine";
import type { Change, ClusterState } from "./cluster-state.ts";
import { channelOf } from "./registry-event.ts";

export interface PresenceAudience {
  receive(publication: Publication): void;
  isSubscribed(app: string, channel: string): boolean;
}

export function notify(audience: PresenceAudience, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.type === "joined") {
      const { app, channel } = change.entry;
      if (audience.isSubscribed(app, channel)) audience.receive(joinPublication(change.entry));
    } else if (change.type === "left" && audience.isSubscribed(change.app, change.channel)) {
      audience.receive(leavePublication(change));
    }
  }
}

/** Who joined and left while this node was not connected. */
export function notifyDifference(audience: PresenceAudience, before: ClusterState, after: ClusterState): void {
  for (const { app, channel, member } of before.present()) {
    if (after.holders(app, channel, member.id) === 0) notify(audience, [{ type: "left", app, channel, member }]);
  }
  for (const entry of after.present()) {
    const { app, channel, member } = entry;
    if (before.holders(app, channel, member.id) === 0) notify(audience, [{ type: "joined", entry }]);
  }
}

export function registryChangeOf(change: Change): RegistryChange {
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
