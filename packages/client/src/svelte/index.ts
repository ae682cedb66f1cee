/** `@fanfare/client/svelte`: reactive state for Svelte 5.7 and newer. It renders on the server, and connects in the browser only. */

import type { Declaration } from "@fanfare/schema";
import { channel, connection, event, events, getClient, live, members, setClient } from "./bindings.ts";
import type { Bindings } from "./types.ts";

export type { EventOptions, EventsOptions } from "../bindings/types.ts";
export type { Bindings, ChannelHandle, Current, LiveHandle, MembersHandle, Name } from "./types.ts";
export { channel, connection, event, events, getClient, live, members, setClient };

/** The same bindings, typed by a declaration: `createHooks<typeof events>()`. */
export function createHooks<D extends Declaration>(): Bindings<D> {
  return { channel, connection, event, events, getClient, live, members, setClient } as unknown as Bindings<D>;
}
