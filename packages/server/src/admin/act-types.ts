/** What an operator does with connections and with what channels keep: part of `api-types.ts`. */

import type { Position } from "../domain/message.ts";

/** Answer to what is done: `asked` where other nodes were asked and have not said that they did it. */
export interface Done {
  readonly outcome: "done" | "asked";
}

/**
 * Answer to what is done with connections, wherever they are. POST api/apps/:app/connections/:id/disconnect with
 * `{ message?: string }`: that one. POST api/apps/:app/users/:id/terminate: every connection of the user, whose tokens until now
 * are refused from then on. POST api/apps/:app/subscribe, unsubscribe, kick and reconnect as below. All of it takes the role operate.
 */
export interface Acted extends Done {
  /** On how many connections, at least. */
  readonly connections: number;
  /** Nodes that did not answer in time: they do it as soon as they can. */
  readonly nodesMissing: number;
}

/** POST api/apps/:app/subscribe: into the channel, whatever the client may. One of `user` and `connection`. */
export interface SubscribeOrder {
  readonly channel: string;
  readonly user?: string;
  readonly connection?: string;
  /** For a user: for so long also the connections that come. At most a day. */
  readonly stickyS?: number;
}

/** POST api/apps/:app/unsubscribe: one of `user` and `connection`. The client may come again. */
export interface UnsubscribeOrder {
  readonly channel: string;
  readonly user?: string;
  readonly connection?: string;
  readonly message?: string;
}

/** POST api/apps/:app/kick: one of `user`, `connection` and `all`. */
export interface KickOrder extends UnsubscribeOrder {
  readonly all?: true;
  /** For a user: kept out of the channel for so long. At most thirty days. */
  readonly banS?: number;
}

/** POST api/apps/:app/unban (operate): ends a ban, if there is one. Answers Done. */
export interface UnbanOrder {
  readonly channel: string;
  readonly user: string;
}

/** POST api/apps/:app/reconnect: one of `user`, `connection` and `channel`. What the clients may they still may. */
export interface ReconnectOrder {
  readonly channel?: string;
  readonly user?: string;
  readonly connection?: string;
  /** Over how long they come back, each at another time. At most an hour. */
  readonly spreadMs?: number;
  readonly message?: string;
}

/** POST api/apps/:app/purge (operate): all that the channel keeps, or what one of the bounds says. 409 where `epoch` is gone. */
export interface PurgeOrder {
  readonly channel: string;
  /** All that came before it. */
  readonly before?: Position;
  /** All that was published before that time. */
  readonly toMs?: number;
  /** This one. */
  readonly event?: Position;
}

export interface Purged {
  /** How many events are forgotten. */
  readonly purged: number;
}
