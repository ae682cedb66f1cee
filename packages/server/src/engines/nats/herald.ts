/** Tells the channels of this node, and its observers, what changed in the picture. */

import type { Publication } from "../../domain/message.ts";
import type { RegistryChange } from "../../domain/ports.ts";
import { joinPublication, leavePublication } from "../../domain/presence-publications.ts";
import type { Change, Picture } from "./picture.ts";
import { about } from "./words.ts";

export interface Audience {
  receive(publication: Publication): void;
  isSubscribed(app: string, channel: string): boolean;
}

export function tell(audience: Audience, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.type === "joined") {
      const { app, channel } = change.row;
      if (audience.isSubscribed(app, channel)) audience.receive(joinPublication(change.row));
    } else if (change.type === "left" && audience.isSubscribed(change.app, change.channel)) {
      audience.receive(leavePublication(change));
    }
  }
}

/** Who came and went while nobody could hear it. */
export function tellDifference(audience: Audience, before: Picture, after: Picture): void {
  for (const row of before.present()) {
    const { app, channel, member } = row;
    if (after.holders(app, channel, member.id) === 0) tell(audience, [{ type: "left", app, channel, member }]);
  }
  for (const row of after.present()) {
    if (before.holders(row.app, row.channel, row.member.id) === 0) tell(audience, [{ type: "joined", row }]);
  }
}

export function factOf(change: Change): RegistryChange {
  switch (change.type) {
    case "joined":
      return { type: "joined", ...about(change.row), member: change.row.member };
    case "left":
      return { type: "left", ...about(change), member: { id: change.member.id } };
    case "occupied":
    case "vacated":
    case "counted":
      return { ...about(change), type: change.type };
  }
}
