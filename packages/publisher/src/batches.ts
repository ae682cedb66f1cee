/** Cuts a list of events into requests that the server takes. */

import type { AnyDeclaration, ChannelName, EventData, EventName } from "@fanfare/schema";
import { checkKey, checkNotEncrypted, jsonOf } from "./names.ts";

/** One that is declared, where events are declared. */
export type BatchEvent<D = AnyDeclaration> = BatchEventIn<D, ChannelName<D>>;

type BatchEventIn<D, N extends string> = N extends unknown ? BatchEventOf<D, N, EventName<D, N>> : never;

type BatchEventOf<D, N extends string, E extends string> = E extends unknown
  ? BatchEventBase & { readonly channel: N; readonly event: E; readonly data: EventData<D, N, E> }
  : never;

interface BatchEventBase {
  /** The idempotency key, 1 to 128 characters. Default: a random one. */
  readonly key?: string;
  /** The id of a connection that does not get the event. */
  readonly except?: string;
}

interface Item {
  readonly name: string;
  readonly channel: string;
  readonly data: string;
  readonly socket_id: string | undefined;
  readonly idempotency_key: string;
}

const MOST_EVENTS = 10;
const MOST_BYTES = 1_048_576;
const ENCODER = new TextEncoder();

export function itemOf({ channel, event, data, key = crypto.randomUUID(), except }: BatchEvent): Item {
  checkNotEncrypted(channel);
  checkKey(key);
  return { name: event, channel, data: jsonOf(data), socket_id: except, idempotency_key: key };
}

/** In order. An event that is too large for any request is alone in its own, so that the server says so. */
export function* batchesOf(items: readonly Item[]): Generator<readonly Item[]> {
  let batch: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = ENCODER.encode(JSON.stringify(item)).length;
    if (batch.length === MOST_EVENTS || (batch.length > 0 && bytes + size > MOST_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
