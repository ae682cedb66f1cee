/**
 * Scripts that Redis runs, each for what has to happen in one step. KEYS[1] is the root of a shard; every key is made from it,
 * so that all of them are in one slot. Of a shard are:
 *
 * writers                  incarnation → 1 of every node that may write here, or 0 of one that is being reaped; "" → the dataset
 * heartbeats, reports, claim:INCARNATION   the nodes, in the first shard only
 * history:CHANNEL          publications; head:CHANNEL where the channel stands; erased:CHANNEL the places of purged events
 * published:KEY            idempotency key of a publication
 * tokens:NAME, once:KEY, max:NAME   the ledger's token buckets, keys and greatest numbers
 *
 * and under the first characters of the dataset:
 *
 * presence:CHANNEL         user → ["id",info,joinedAtMs] or ["id",null,"info as it was written",joinedAtMs]
 * states:CHANNEL           user → when it was last updated, a space, and its state, which may be empty; only of those who were updated
 * connections:CHANNEL      user → how many connections it has there
 * subscribers:CHANNEL      incarnation → its subscribers; "" → the sum
 * channels:APP             channels that have subscribers, in the order of their names
 * quota:NAME               holder → incarnation
 * node-channels:INCARNATION           channels in which the incarnation has anything
 * node-presence:INCARNATION:CHANNEL   connection → user
 * node-quotas:INCARNATION             [quota, holder] of all it holds
 *
 * What is under a dataset lives as long as a lease, which its nodes renew each quarter of one (RENEW). `writers` lives half as
 * long, from the last heartbeat on: where no node lives, the dataset is over before any of its keys is, so no node ever finds
 * one of them without the others.
 */

import { createHash } from "node:crypto";

/** `Arg` are the names of its arguments, which are locals in its text. */
export interface Script<Arg extends string = string> {
  readonly text: string;
  readonly sha: string;
  readonly args: readonly Arg[];
  /** Where one command carries several calls: how many of the arguments, the first, they share. */
  readonly shared?: number;
  /** Each call is a command of its own all the same. */
  readonly isAlone?: true;
  /** It must not be overtaken by anything sent later, so it is not sent again where Redis had forgotten it. */
  readonly keepsOrder?: true;
}

export function script<const Arg extends string>(
  args: readonly Arg[],
  text: string,
  more: Pick<Script, "keepsOrder"> = {},
): Script<Arg> {
  return { ...withSha(`${localsOf(args)}${text.trim()}\n`), args, ...more };
}

export interface BatchScript<Shared extends string, Each extends string> extends Pick<Script, "keepsOrder"> {
  readonly shared: readonly Shared[];
  /** Done once, with what the calls share. */
  readonly before: string;
  readonly each: readonly Each[];
}

/** Several calls in one command, which answers a list: what one of them does, or that it fails, does not concern the others. */
export function batchScript<const Shared extends string, const Each extends string>(
  { shared, before, each, ...more }: BatchScript<Shared, Each>,
  text: string,
): Script<Shared | Each> {
  const whole = `${localsOf(shared)}${before.trim()}
local function call(${each.join(", ")})
${text.trim()}
end
local answers = {}
for at = ${shared.length + 1}, #ARGV, ${each.length} do
  local isDone, answer = pcall(call, unpack(ARGV, at, at + ${each.length - 1}))
  answers[#answers + 1] = isDone and answer or {err = type(answer) == 'table' and answer.err or answer}
end
return answers
`;
  return { ...withSha(whole), args: [...shared, ...each], shared: shared.length, ...more };
}

function localsOf(args: readonly string[]): string {
  return args.length === 0 ? "" : `local ${args.join(", ")} = unpack(ARGV)\n`;
}

function withSha(text: string): Pick<Script, "text" | "sha"> {
  const whole = `local root = KEYS[1]\n${text}`;
  return { text: whole, sha: createHash("sha1").update(whole).digest("hex") };
}

/** Redis's own clock, in milliseconds. */
export const NOW = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end`;

/** Lua writes great numbers with an exponent, which Redis does not read. */
export const WHOLE = `
local function whole(number) return string.format('%.0f', number) end`;

/** When a user in a hash of states was last updated, and the user's state. */
export const STATE = `
local function stateOf(states, user)
  local updatedAt, state = string.match(redis.call('HGET', states, user) or '0 ', '^(%d+) (.*)$')
  return tonumber(updatedAt), state
end
local function setState(states, user, updatedAt, state)
  redis.call('HSET', states, user, whole(updatedAt)..' '..state)
  if redis.call('PTTL', states) < 0 then redis.call('PEXPIRE', states, lease) end
end`;

/** What is kept of members, and users, each followed by its state, as two lists of one JSON text: a list of Redis's costs more to read. */
export const ROSTER = `
local function roster(members, states)
  return '['..table.concat(members, ',')..'],'..(#states == 0 and '[]' or cjson.encode(states))
end`;

/** How keys of the dataset begin, and whether the incarnation may write here. Before the first heartbeat there is no dataset. */
export const DATASET = `
local function dataset(incarnation)
  local known = redis.call('HMGET', root..'writers', incarnation, '')
  return root..string.sub(known[2] or '', 1, 8)..':', known[1] == '1'
end`;
