/**
 * What the engine needs of a Redis client, and no more. A wire is one connection from its greeting to its end: it never
 * reconnects by itself, so nothing can happen on it that the engine does not hear of.
 */

interface Connection {
  /** The server at the other end: `host:port`. */
  readonly address: string;
}

/** Carries commands, in the order in which they were sent. */
export interface CommandClient extends Connection {
  /** Changes with every start of the server's process. */
  readonly runId: string;
  /** Rejects with Refused, or with Unanswered when the wire ends first. */
  send(command: string, args: readonly string[]): Promise<unknown>;
  /** Ends it; whatever has no answer yet rejects. */
  close(): void;
}

/** Carries publications. */
export interface SubscriptionClient extends Connection {
  /** Resolves when Redis has confirmed every one of them. */
  subscribe(subjects: readonly string[]): Promise<void>;
  unsubscribe(subjects: readonly string[]): Promise<void>;
  /** Resolves when Redis answers on this very connection. */
  ping(): Promise<void>;
  close(): void;
}

/** How a wire tells what happens on it. `ended` comes once, after `close` too. */
export interface ConnectionEvents {
  ended(why: string): void;
}

export interface SubscriptionEvents extends ConnectionEvents {
  message(subject: string, text: string): void;
}

/**
 * Opens wires. Everything of one channel lives in one bucket, and each bucket on one server: a server on its own has one
 * bucket, a cluster many.
 */
export interface Connector {
  readonly shards: number;
  /** Whether subjects are of a slot (SPUBLISH, SSUBSCRIBE) or of the whole server. */
  readonly sharded: boolean;
  /** Rejects with a sentence for people, without secrets. */
  openCommands(bucket: number, events: ConnectionEvents): Promise<CommandClient>;
  openSubscriptions(bucket: number, events: SubscriptionEvents): Promise<SubscriptionClient>;
  /** Where the bucket should be served now, where that can change; asked every second. */
  resolveAddress?(bucket: number): Promise<string | undefined>;
  close(): void;
}
