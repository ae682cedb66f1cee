/** `@fanfare/client/vue`: composables for Vue 3.3 and newer. They render on the server, and connect in the browser only. */

import type { Declaration } from "@fanfare/schema";
import {
  fanfare,
  useChannel,
  useClient,
  useConnection,
  useEvent,
  useEvents,
  useLive,
  useMembers,
} from "./composables.ts";
import type { Composables } from "./types.ts";

export type { EventOptions, EventsOptions } from "../bindings/types.ts";
export type { ChannelHandle, Composables, LiveHandle, MembersHandle, Name } from "./types.ts";
export { fanfare, useChannel, useClient, useConnection, useEvent, useEvents, useLive, useMembers };

/** The same composables, typed by a declaration: `createHooks<typeof events>()`. */
export function createHooks<D extends Declaration>(): Composables<D> {
  return {
    fanfare,
    useChannel,
    useClient,
    useConnection,
    useEvent,
    useEvents,
    useLive,
    useMembers,
  } as unknown as Composables<D>;
}
