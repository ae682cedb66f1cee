/** What observers are notified of, after it has happened: exactly one node of the cluster notifies them of each event. */

import type { App } from "./app.ts";
import type { Connection } from "./connection.ts";
import type { CommandError, Disconnect } from "./error.ts";
import type { Command, EventPublication, Member, PurgeRange } from "./message.ts";
import type { Frame } from "./transport.ts";

export type HubEvent =
  | { readonly type: "opened"; readonly connection: Connection }
  | { readonly type: "closed"; readonly connection: Connection; readonly code: number; readonly why?: Disconnect }
  | { readonly type: "subscribed"; readonly connection: Connection; readonly channel: string }
  /** A subscriber came back for what it had missed of the channel, and got all of it or not. */
  | {
      readonly type: "resumed";
      readonly connection: Connection;
      readonly channel: string;
      readonly recovered: boolean;
    }
  | { readonly type: "unsubscribed"; readonly connection: Connection; readonly channel: string }
  | { readonly type: "occupied"; readonly app: App; readonly channel: string }
  | { readonly type: "vacated"; readonly app: App; readonly channel: string }
  | { readonly type: "joined"; readonly app: App; readonly channel: string; readonly member: Member }
  | { readonly type: "left"; readonly app: App; readonly channel: string; readonly member: Pick<Member, "id"> }
  | {
      readonly type: "published";
      readonly app: App;
      readonly publication: EventPublication;
      /** Who published it by a call of the HTTP API. */
      readonly caller?: ApiCaller;
    }
  | { readonly type: "counted"; readonly app: App; readonly channel: string; readonly count: number }
  | { readonly type: "missed"; readonly app: App; readonly channel: string }
  /** So many events of the channel's history were forgotten on demand. */
  | {
      readonly type: "purged";
      readonly app: App;
      readonly channel: string;
      readonly purged: number;
      readonly range: PurgeRange;
      readonly byOperator?: true;
    }
  /** A back end, the program or an operator acted on connections. */
  | ({ readonly type: "steered" } & Steered)
  /** Publications of the channel may be lost to this node's clients; they were notified. */
  | { readonly type: "gap"; readonly app: App; readonly channel: string }
  /** The client's socket was cut because it did not read as fast as it was sent to; "closed" comes next. */
  | {
      readonly type: "slow-consumer";
      readonly connection: Connection;
      /** The setting that it went beyond. */
      readonly limit: "limits.outboundBufferBytes" | "limits.readerLagS";
    }
  | {
      readonly type: "refused";
      readonly connection: Connection;
      readonly error: CommandError;
      /** What was refused, where it was a command at all. */
      readonly command?: Command;
      /** What the client sent, where it was refused for that. */
      readonly frame?: Frame;
    }
  | ApiRequestRejected
  /** Without an app where none was found. */
  | {
      readonly type: "rejected";
      readonly address: string;
      readonly why: Disconnect;
      readonly app?: App;
      /** What it is, where somebody would look at it. */
      readonly client?: Pick<Connection, "agent" | "library"> & { readonly headers?: Readonly<Record<string, string>> };
    }
  | { readonly type: "failed"; readonly error: unknown; readonly during: string; readonly connection?: Connection };

/** A call of the HTTP API that was answered with an error, other than for a bug. */
export interface ApiRequestRejected {
  readonly type: "api-refused";
  /** Absent where the path names none that there is. */
  readonly app?: App;
  readonly error: Error & { readonly code: string };
  readonly status: number;
  readonly method: string;
  /** With its query, as it was called. */
  readonly path: string;
  /** As far as it was read. */
  readonly body?: Uint8Array;
  readonly address: string;
  readonly headers: Headers;
}

/** A call of the HTTP API, to be looked at while it is answered. */
export interface ApiCaller {
  readonly request: { readonly headers: Headers };
  /** Looks the address up. */
  from(): string;
}

/** What was done with connections, on all nodes. */
export interface Steered {
  readonly app: App;
  readonly act: "subscribe" | "unsubscribe" | "kick" | "ban" | "unban" | "disconnect" | "reconnect";
  /** Whose connections. */
  readonly whose: { readonly user: string } | { readonly connection: string } | { readonly channel: string };
  /** Absent where it is about no channel. */
  readonly channel?: string;
  /** On how many. */
  readonly connections: number;
  /** It is in the audit log under the operator's name. */
  readonly byOperator?: true;
}
