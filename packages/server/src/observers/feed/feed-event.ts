/** What the dashboard shows of an event: first only its names, to see which filters match; then, if it is shown, all of it. */

import type { FeedEntry, FeedNames, Signed } from "../../admin/api-types.ts";
import type { App } from "../../domain/app.ts";
import type { Connection } from "../../domain/connection.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import { messageOf } from "../../domain/thrown.ts";
import { nameIn } from "../../domain/user-info.ts";
import { LONGEST_SHOWN, redactFramePayload, redactPayload, redactReason } from "../redact.ts";
import { keptHeaders, type ShownHeaders, shownHeaders } from "./shown-headers.ts";

/** What became of webhook events, which the hub does not know of. */
export interface WebhookOutcome {
  readonly type: "webhook";
  readonly app: string;
  readonly outcome: string;
  readonly count: number;
}

export type FeedSource = HubEvent | WebhookOutcome;

/** Undefined for what is never shown. Called for each event while a dashboard watches: it may only pick. */
export function feedEventOf(source: FeedSource): FeedNames | undefined {
  switch (source.type) {
    case "opened":
    case "closed":
      return { type: source.type === "opened" ? "connected" : "disconnected", ...namesOf(source.connection) };
    case "subscribed":
    case "unsubscribed":
      return { type: source.type, ...namesOf(source.connection), channel: source.channel };
    case "occupied":
    case "vacated":
    case "gap":
      return { type: source.type, app: source.app.id, channel: source.channel };
    case "missed":
      return { type: "cache_miss", app: source.app.id, channel: source.channel };
    case "joined":
    case "left": {
      const type = source.type === "joined" ? "member_added" : "member_removed";
      return { type, app: source.app.id, channel: source.channel, user: source.member.id };
    }
    case "published": {
      const { channel, event, from } = source.publication;
      const type = from ? "client_event" : "api_message";
      return { type, app: source.app.id, channel, event, connection: from?.connection, user: from?.user };
    }
    case "refused": {
      const { connection, command, error } = source;
      const channel = command && "channel" in command ? command.channel : error.about?.channel;
      const event = command && "event" in command ? command.event : undefined;
      // It may be the name that was refused.
      const names = { channel: channel?.slice(0, LONGEST_NAME), event: event?.slice(0, LONGEST_NAME) };
      return { type: "refused", ...namesOf(connection), code: error.code, ...names };
    }
    case "api-refused":
      return { type: "refused", app: source.app?.id, code: source.error.code };
    case "rejected":
      return { type: "turned_away", app: source.app?.id, code: source.why.code };
    case "failed":
      return { type: "error", app: source.connection?.app.id, connection: source.connection?.id };
    case "webhook":
      return { type: "webhook", app: source.app, event: source.outcome };
    // Its end comes right after it.
    case "slow-consumer":
    case "resumed":
    case "counted":
    case "purged":
    case "steered":
      return undefined;
  }
}

function namesOf(connection: Connection) {
  return { app: connection.app.id, connection: connection.id, user: personOf(connection)?.id };
}

/** As whom it is signed in, or else in a presence channel. */
function personOf({ user, anyMember }: Connection) {
  return user ?? anyMember;
}

/** What is known of it only while it happens. To be called for what is kept or shown, and for nothing else. */
export function seenNow(source: FeedSource, connectionOf: ConnectionOf): Seen {
  switch (source.type) {
    case "published": {
      const { from } = source.publication;
      if (from) return namedBy(connectionOf(source.app, from.connection));
      if (!source.caller) return {};
      return { address: source.caller.from(), headers: shownHeaders(source.caller.request.headers) };
    }
    case "api-refused":
      return { headers: shownHeaders(source.headers) };
    case "opened":
    case "closed":
    case "subscribed":
    case "unsubscribed":
    case "refused":
      return namedBy(source.connection);
    default:
      return {};
  }
}

function namedBy(connection: Connection | undefined): Seen {
  const name = nameIn(connection && personOf(connection)?.info);
  return name === undefined ? {} : { name };
}

/** The one of that id, if this node has it. */
export type ConnectionOf = (app: Pick<App, "id">, id: string) => Connection | undefined;

export type Seen = Pick<FeedEntry, "address" | "headers" | "name" | "openedAtMs">;

/** An event that is shown or kept. */
export interface Noted {
  readonly id: string;
  readonly names: FeedNames;
  readonly source: FeedSource;
  readonly atMs: number;
  readonly seen: Seen;
}

/** Everything there is to show of it, its payload up to so many characters. */
export function feedEntryOf({ id, names, source, atMs, seen }: Noted, longest: number): FeedEntry {
  const { type, ...its } = names;
  const known = Object.fromEntries(Object.entries(its).filter(([, name]) => name !== undefined));
  return { id, type, atMs, ...known, ...more(source, longest), ...seen };
}

type More = Partial<Omit<FeedEntry, "id" | "type" | "atMs">>;

/** Longest path of a call and longest name, in characters. */
const LONGEST_PATH = 200;
const LONGEST_NAME = 300;

function more(source: FeedSource, longest: number): More {
  switch (source.type) {
    case "opened":
    case "subscribed":
    case "unsubscribed":
      return clientOf(source.connection);
    case "closed": {
      const { connection, code, why } = source;
      const reason = why ? `${why.code}: ${reasonOf(why)}` : "the client left";
      return { ...clientOf(connection), why: `${code} ${reason}` };
    }
    case "joined": {
      const name = nameIn(source.member.info);
      return { payload: redactPayload(source.member.info, longest), ...(name !== undefined && { name }) };
    }
    case "published":
      return { payload: redactPayload(source.publication.data, longest) };
    case "refused": {
      const { connection, error, command, frame } = source;
      const why = `${command?.type ?? "a frame"}: ${reasonOf(error)}`;
      const payload = frame === undefined ? {} : { payload: redactFramePayload(frame, longest) };
      return { ...clientOf(connection), why, ...payload, ...refusedSignature(source, longest) };
    }
    case "api-refused": {
      const { method, path, status, error, address, body } = source;
      const place = path.replace(/\?.*$/s, "").slice(0, LONGEST_PATH);
      return {
        address,
        why: `${method} ${place}: ${status} ${shortReason(error.message)}`,
        ...(body && { payload: redactPayload(new TextDecoder().decode(body), longest) }),
        ...refusedSignature(source, longest),
      };
    }
    case "rejected":
      return {
        address: source.address,
        why: `${source.why.code}: ${reasonOf(source.why)}`,
        ...described(source.client),
      };
    case "failed": {
      const { error, during } = source;
      return { why: `${during}: ${shortReason(messageOf(error))}` };
    }
    case "webhook":
      return { why: `${source.count} ${source.outcome}` };
    default:
      return {};
  }
}

type Refused = Extract<HubEvent, { type: "refused" | "api-refused" }>;

/**
 * What was signed wrong, as the signature explainer asks for it, each part at most so many characters long. A signature that was
 * refused as wrong is nobody's secret; what was signed is left out where it has a secret in it, or is too long to be shown.
 */
function refusedSignature(refused: Refused, longest: number): Pick<FeedEntry, "signed"> {
  if (refused.error.code !== "signature_invalid") return {};
  const parts = refused.type === "refused" ? byClient(refused) : byBackend(refused);
  if (!parts) return {};
  const { type, secret = {}, ...open } = parts;
  const isShort = ([, text]: readonly [string, string]) => text.length <= longest;
  const isOpen = ([, text]: readonly [string, string]) => redactPayload(text, longest).text === text;
  const all = [...Object.entries(open).filter(isShort), ...Object.entries(secret).filter(isOpen)];
  return { signed: { type, ...Object.fromEntries(all) } };
}

interface Parts extends Omit<Signed, "channelData" | "userData" | "body"> {
  /** What may have secrets in it. */
  readonly secret?: Pick<Signed, "channelData" | "userData" | "body">;
}

function byClient({ connection, command }: Extract<Refused, { type: "refused" }>): Parts | undefined {
  const socketId = connection.id;
  if (command?.type === "subscribe" && command.proof) {
    const { channel, proof } = command;
    const secret = proof.data === undefined ? {} : { channelData: proof.data };
    return { type: "channel", socketId, channel, auth: proof.auth, secret };
  }
  if (command?.type !== "signin" || command.by.type !== "signature") return undefined;
  const { auth, userData } = command.by;
  return { type: "user", socketId, auth, secret: { userData } };
}

function byBackend({ method, path, body }: Extract<Refused, { type: "api-refused" }>): Parts {
  return { type: "request", method, path, secret: body ? { body: new TextDecoder().decode(body) } : {} };
}

/** What is on the other side of it. */
function clientOf(connection: Connection): More {
  const { address, protocol, transport, isEncrypted, agent, library } = connection;
  return {
    ...{ address, protocol: protocol.name, isEncrypted, ...(transport !== "websocket" && { transport }) },
    ...described({ agent, library, headers: keptHeaders(connection) }),
  };
}

interface Client extends Partial<Pick<Connection, "agent" | "library">> {
  readonly headers?: ShownHeaders | undefined;
}

function described({ agent, library, headers }: Client = {}): More {
  return {
    ...(agent !== undefined && { agent }),
    ...(library !== undefined && { library }),
    ...(headers && { headers }),
  };
}

/** With what the app's back end answered, where it was asked. */
function reasonOf({ message, detail }: { readonly message: string; readonly detail: string | undefined }): string {
  const reason = shortReason(message);
  return detail === undefined ? reason : `${reason} (${shortReason(detail)})`;
}

/** A sentence that says why. */
function shortReason(reason: string): string {
  return redactReason(reason, LONGEST_SHOWN);
}
