/** `@fanfare/client/react`: hooks for React 18 and newer. They render on the server, and connect in the browser only. */

import type { Declaration } from "@fanfare/schema";
import {
  FanfareProvider,
  useChannel,
  useClient,
  useConnection,
  useEvent,
  useEvents,
  useLive,
  useMembers,
} from "./hooks.ts";
import type { Hooks } from "./types.ts";

export type { EventOptions, EventsOptions } from "../bindings/types.ts";
export type {
  ChannelHandle,
  Hooks,
  LiveHandle,
  LiveHookOptions,
  MembersHandle,
} from "./types.ts";
export { FanfareProvider, useChannel, useClient, useConnection, useEvent, useEvents, useLive, useMembers };

/** The same hooks, typed by a declaration: `createHooks<typeof events>()`. */
export function createHooks<D extends Declaration>(): Hooks<D> {
  return {
    FanfareProvider,
    useChannel,
    useClient,
    useConnection,
    useEvent,
    useEvents,
    useLive,
    useMembers,
  } as unknown as Hooks<D>;
}
