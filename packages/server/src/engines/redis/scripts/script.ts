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
}

export function script<const Arg extends string>(args: readonly Arg[], text: string): Script<Arg> {
  const locals = args.length === 0 ? "" : `local ${args.join(", ")} = unpack(ARGV)\n`;
  const whole = `local root = KEYS[1]\n${locals}${text.trim()}\n`;
  return { text: whole, sha: createHash("sha1").update(whole).digest("hex"), args };
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

/** How keys of the dataset begin, and whether the incarnation may write here. Before the first heartbeat there is no dataset. */
export const DATASET = `
local function dataset(incarnation)
  local known = redis.call('HMGET', root..'writers', incarnation, '')
  return root..string.sub(known[2] or '', 1, 8)..':', known[1] == '1'
end`;
