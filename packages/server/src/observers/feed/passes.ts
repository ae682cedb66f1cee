/** Whether somebody watches for an event. */

import type { FeedFilter } from "../../admin/api-types.ts";
import { matches } from "../../domain/channel.ts";
import type { FeedEvent } from "./feed-event.ts";

/** All of what the filter names fits; what the event does not have matches nothing. */
export function passes(filter: FeedFilter, event: FeedEvent): boolean {
  if (filter.types && !filter.types.includes(event.type)) return false;
  if (filter.app !== undefined && filter.app !== event.app) return false;
  if (filter.connection !== undefined && filter.connection !== event.connection) return false;
  return matchesPattern(filter.channel, event.channel) && matchesPattern(filter.event, event.event);
}

function matchesPattern(pattern: string | undefined, name: string | undefined): boolean {
  return pattern === undefined || (name !== undefined && matches(pattern, name));
}
