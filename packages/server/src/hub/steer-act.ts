/** What a back end does with connections, wherever in the cluster they are, as nodes tell it to each other. */

/** Whose connections: a user's, one, or all that are in the channel. */
export type Whose = { readonly user: string } | { readonly connection: string } | { readonly channel: string };

/** Takes connections out of a channel. */
export interface KickAct {
  readonly type: "kick";
  readonly channel: string;
  readonly whose: Whose;
  readonly code: "kicked" | "unsubscribed";
  readonly message: string;
  /** Until when it is a ban, in Unix milliseconds, so that no node lets the user in again. */
  readonly bannedUntilMs?: number;
}

/** Ends connections, for good. */
export interface DisconnectAct {
  readonly type: "disconnect";
  readonly whose: Whose;
  readonly message: string;
}

/** Has clients connect again: what they may they may go on doing. */
export interface ReconnectAct {
  readonly type: "reconnect";
  readonly whose: Whose;
  readonly message: string;
  /** They come back over so long, in milliseconds. */
  readonly spreadMs: number;
}

/** Puts connections into a channel. */
export interface SubscribeAct {
  readonly type: "subscribe";
  readonly channel: string;
  readonly whose: Whose;
  /** As JSON: in a presence channel in place of the info that the user signed in with. */
  readonly infoText?: string;
  /** In a presence channel, for a connection that is not signed in. */
  readonly member?: string;
  /** Until when connections that come are put there, too, in Unix milliseconds. */
  readonly stickyUntilMs?: number;
  /** When the subscription ends, in Unix milliseconds. */
  readonly expiresAtMs?: number;
}

export type SteerAct = KickAct | DisconnectAct | ReconnectAct | SubscribeAct;

/** The act as another node sent it. Throws where it is none. */
export function steerActOf(value: unknown): SteerAct {
  const fields = fieldsOf(value);
  const { type } = fields;
  const whose = whoseOf(fields.whose);
  if (type === "subscribe") return subscribeActOf(fields, whose);
  const about = { whose, message: textOf(fields.message) };
  switch (type) {
    case "kick":
      return {
        type,
        ...about,
        channel: textOf(fields.channel),
        code: fields.code === "unsubscribed" ? fields.code : "kicked",
        ...(fields.bannedUntilMs !== undefined && { bannedUntilMs: numberOf(fields.bannedUntilMs) }),
      };
    case "disconnect":
      return { type, ...about };
    case "reconnect":
      return { type, ...about, spreadMs: numberOf(fields.spreadMs) };
  }
  throw new Error("It asks for an unknown action.");
}

function subscribeActOf(fields: Readonly<Record<string, unknown>>, whose: Whose): SubscribeAct {
  const { channel, infoText, member, stickyUntilMs, expiresAtMs } = fields;
  return {
    type: "subscribe",
    whose,
    channel: textOf(channel),
    ...(infoText !== undefined && { infoText: textOf(infoText) }),
    ...(member !== undefined && { member: textOf(member) }),
    ...(stickyUntilMs !== undefined && { stickyUntilMs: numberOf(stickyUntilMs) }),
    ...(expiresAtMs !== undefined && { expiresAtMs: numberOf(expiresAtMs) }),
  };
}

function whoseOf(value: unknown): Whose {
  const { user, connection, channel } = fieldsOf(value);
  if (user !== undefined) return { user: textOf(user) };
  if (connection !== undefined) return { connection: textOf(connection) };
  return { channel: textOf(channel) };
}

export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw new Error("It is not an object.");
}

export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  throw new Error("It has something other than a text.");
}

export function numberOf(value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new Error("It has something other than a number.");
}

// ---- what clients read of an act that they did not ask for, whoever did it, and however: one wording for each

export const KICKED = "This connection was kicked from the channel.";
export const UNSUBSCRIBED = "This connection was unsubscribed from the channel.";
export const RECONNECT = "This client is asked to connect again.";
export const ENDED = "This connection was ended.";
