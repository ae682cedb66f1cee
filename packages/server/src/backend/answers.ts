/** What a back end may answer to a hook, and who a client is by it. Whatever else it says is a mistake, and is taken for no permission. */

import * as z from "zod/mini";
import type { App } from "../domain/app.ts";
import { COMMAND_ERRORS, CommandError, type CommandErrorCode, type Reconnect } from "../domain/error.ts";
import { exactId, isDeeperThan, memberText } from "../domain/json-text.ts";
import type { Member, User } from "../domain/message.ts";
import { parseUserInfo } from "../domain/user-info.ts";
import { NoAnswer, type PostAnswer } from "../http/post.ts";
import { checkUserId } from "../hub/limits.ts";

/** Longest answer, and how deep its JSON may be nested. */
export const ANSWER_BYTES = 65_536;
const DEPTH = 64;
/** How much of an answer, and of a message to a client, is shown. */
const EXCERPT = 300;
const MESSAGE = 500;
const LONGEST_CACHE_S = 300;
const LONGEST_RETRY_S = 3_600;
const OWN_CODE = /^[a-z][a-z0-9_.]{0,63}$/;

const id = z.union([z.string().check(z.minLength(1)), z.number()]);
const user = z.strictObject({ id, info: z.optional(z.unknown()) });
const texts = z.array(z.string());
/** Unix seconds, as the `exp` of a token. */
const unixS = z.number().check(z.positive());
const refuse = z.strictObject({
  code: z.optional(z.string().check(z.regex(OWN_CODE))),
  message: z.optional(z.string()),
});
const close = z.strictObject({
  message: z.optional(z.string()),
  reconnect: z.optional(z.enum(["never", "later", "now"])),
});
/** In any answer. */
const noes = { refuse: z.optional(refuse), close: z.optional(close) };

const identity = {
  ...noes,
  user: z.optional(z.nullable(user)),
  channels: z.optional(texts),
  watch: z.optional(texts),
  subscribe: z.optional(texts),
  watchlist: z.optional(texts),
  expires_at: z.optional(unixS),
  meta: z.optional(z.unknown()),
};

const SHAPES = {
  connect: z.strictObject({
    ...identity,
    cache_s: z.optional(z.number().check(z.minimum(0), z.maximum(LONGEST_CACHE_S))),
    token: z.optional(z.boolean()),
  }),
  authenticate: z.strictObject(identity),
  refresh: z.strictObject(identity),
  subscribe: z.strictObject({
    ...noes,
    member: z.optional(user),
    watch: z.optional(z.boolean()),
    expires_at: z.optional(unixS),
    publish: z.optional(z.boolean()),
  }),
  publish: z.strictObject({
    ...noes,
    event: z.optional(z.string()),
    payload: z.optional(z.unknown()),
    ephemeral: z.optional(z.boolean()),
    drop: z.optional(z.boolean()),
  }),
  call: z.strictObject({ ...noes, result: z.optional(z.unknown()) }),
  ping: z.looseObject({}),
} as const;

/** What can be asked. The ping is `fanfare doctor`'s. */
export type Question = keyof typeof SHAPES;
export type AnswerTo<Q extends Question> = z.output<(typeof SHAPES)[Q]>;
export type Identity = AnswerTo<"authenticate">;

/** The answer, and the text of it, from which what is only passed on is taken. */
export interface Answer<Q extends Question> {
  readonly said: AnswerTo<Q>;
  readonly text: string;
}

/** The back end said no. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: CommandErrorCode | undefined;
  readonly ownCode: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** The client is to go, and is told whether to come back. */
  readonly close: Reconnect | undefined;
  /** What was answered, for those who run the app. */
  readonly detail: string;

  constructor(detail: string, message: string | undefined, more: RefusalDetails = {}) {
    super((message ?? "The app's back end refused this.").slice(0, MESSAGE));
    this.detail = detail;
    const { code } = more;
    const isKnown = code !== undefined && Object.hasOwn(COMMAND_ERRORS, code);
    this.code = isKnown ? (code as CommandErrorCode) : undefined;
    this.ownCode = isKnown ? undefined : code;
    this.retryAfterMs = more.retryAfterMs;
    this.close = more.close;
  }
}

interface RefusalDetails {
  readonly code?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly close?: Reconnect;
}

/** Throws Refusal where it is no; NoAnswer where there is none that can be read; and Error where the back end does not know the hook. */
export function readAnswer<Q extends Question>(question: Q, { status, text = "", retryAfter }: PostAnswer): Answer<Q> {
  const detail = `the hook ${question} answered ${status}${text === "" ? "" : `: ${excerptOf(text)}`}`;
  if (status === 204) return { said: {} as AnswerTo<Q>, text: "{}" };
  if (status === 401 || status === 403) throw new Refusal(detail, messageIn(text), { code: "unauthorized" });
  if (status === 429) {
    const more = { code: "rate_limited", retryAfterMs: retryMs(retryAfter) };
    throw new Refusal(detail, "The app's back end is asked too often.", more);
  }
  if (status >= 400 && status < 500) throw new Error(`The app's back end is not set up for this: ${detail}`);
  if (status < 200 || status >= 300) throw new NoAnswer(detail);
  const said = SHAPES[question].safeParse(jsonIn(text, detail));
  if (!said.success) {
    const [issue] = said.error.issues;
    throw new NoAnswer(`${detail} (${issue?.path.join(".") || "the answer"}: ${issue?.message ?? "is not valid"})`);
  }
  const no: { refuse?: z.output<typeof refuse> | undefined; close?: z.output<typeof close> | undefined } = said.data;
  if (no.close) throw new Refusal(detail, no.close.message, { close: no.close.reconnect ?? "never" });
  if (no.refuse) throw new Refusal(detail, no.refuse.message, { code: no.refuse.code });
  return { said: said.data as AnswerTo<Q>, text };
}

/** Seconds are counted, up to an hour; a date, or what is neither, is one second. */
function retryMs(header = ""): number {
  return /^\d+$/.test(header) ? Math.min(Number(header), LONGEST_RETRY_S) * 1000 || 1_000 : 1_000;
}

function jsonIn(text: string, detail: string): unknown {
  if (isDeeperThan(text, DEPTH)) throw new NoAnswer(`${detail} (nested more than ${DEPTH} levels deep)`);
  try {
    return JSON.parse(text);
  } catch {
    throw new NoAnswer(`${detail} (which is not JSON)`);
  }
}

/** As frameworks answer 401 and 403 by themselves; a page is nothing for a client. */
function messageIn(text: string): string | undefined {
  try {
    const { message, error } = JSON.parse(text) as { message?: unknown; error?: unknown };
    return [message, error].find((one): one is string => typeof one === "string" && one !== "");
  } catch {
    return undefined;
  }
}

function excerptOf(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > EXCERPT ? `${line.slice(0, EXCERPT)}…` : line;
}

// ---- who the client is

/** What the back end said of a client, beside letting it in. */
export interface Admission {
  /** Undefined where it names none. */
  readonly user: User | undefined;
  readonly expiresAtMs: number | undefined;
  /** JSON text. */
  readonly meta: string | undefined;
}

/** Most bytes of the `meta` that a connection keeps. */
const META_BYTES = 4_096;

/** Throws Error where it says what cannot be. */
export function admissionIn(app: App, said: Identity, text: string): Admission {
  const lists = listsOf(said);
  const meta = memberText(text, "meta");
  if (meta !== undefined && Buffer.byteLength(meta) > META_BYTES) {
    throw new Error(
      `The meta of a connection has at most ${META_BYTES} bytes; the back end gave ${Buffer.byteLength(meta)}.`,
    );
  }
  const expiresAtMs = said.expires_at === undefined ? undefined : said.expires_at * 1000;
  if (!said.user) {
    if (Object.keys(lists).length > 0) {
      throw new Error("The back end gave channels, watch, subscribe or a watchlist, and no user to have them.");
    }
    return { user: undefined, expiresAtMs, meta };
  }
  const user: User = {
    ...memberIn(app, said.user.id, memberText(text, "user") ?? ""),
    ...lists,
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  };
  return { user, expiresAtMs, meta };
}

export type UserLists = Pick<User, "channels" | "watch" | "subscribe" | "watchlist">;

/** Those that are given. */
export function listsOf({ channels, watch, subscribe, watchlist }: UserLists | Identity): UserLists {
  return {
    ...(channels && { channels }),
    ...(watch && { watch }),
    ...(subscribe && { subscribe }),
    ...(watchlist && { watchlist }),
  };
}

/** A user or a member: `text` is its JSON. Throws Error where its id is none that the app takes. */
export function memberIn(app: App, id: string | number, text: string): Member {
  const member = { id: exactId(id, memberText(text, "id")), ...parseUserInfo(memberText(text, "info")) };
  try {
    checkUserId(app, member.id);
  } catch (error) {
    throw error instanceof CommandError
      ? new Error(`The back end gave a user id that cannot be: ${error.message}`)
      : error;
  }
  return member;
}
