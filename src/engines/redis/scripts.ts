/**
 * What has to happen in one step, as scripts that Redis runs. KEYS[1] is the root of a bucket; every key is made from it, so
 * that all of them are in one slot. Of a bucket are:
 *
 * g           generation → 1, of every node that may write here; under "" the epoch of the data
 * i:GEN       places in which the generation has anything
 * r:GEN:PLACE connection → user, of the generation's rows
 * n:PLACE     user → how many connections; m:PLACE user → ["id",info,joinedAtMs]
 * t:PLACE     generation → its subscribers; under "" the sum
 * x:APP       channels that somebody is subscribed to, in the order of their names
 * h:PLACE     history, p:PLACE where it stands
 * l:PLACE     holder → generation; lg:GEN the places it holds; b:NAME a bucket of tokens; o:KEY noted once
 * beats, reports, claim:GEN: the nodes, in the first bucket only
 */

import { createHash } from "node:crypto";

export interface Script {
  readonly text: string;
  readonly sha: string;
}

const NOW = `local function now() local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000) end`;

/**
 * args: generation, epoch it knows or "", epoch to begin with, report or "", node timeout, milliseconds that are long ago. Answers: how, epoch, overdue generations.
 * Where nobody has beaten for half that time, it was Redis that was away, and everybody is given time to come back. The first
 * line writes nothing: after it, a Redis that is full lets the rest through, so that no node dies of that.
 */
export const BEAT = script(`
redis.call('DEL', KEYS[1]..'none')
local root, gen, known = KEYS[1], ARGV[1], ARGV[2]
${NOW}
local epoch = redis.call('HGET', root..'g', '')
local how = 'here'
if known == '' then
  how = 'new'
elseif redis.call('HEXISTS', root..'g', gen) == 0 then
  if epoch == known then return {'reaped', epoch} end
  how = 'lost'
  local born = epoch and tonumber(string.match(epoch, '@(%d+)$'))
  if born and now() - born > tonumber(ARGV[6]) then how = 'lost long ago' end
end
if how ~= 'here' then
  if not epoch then
    epoch = ARGV[3]..'@'..string.format('%.0f', now())
    redis.call('HSET', root..'g', '', epoch)
  end
  redis.call('HSET', root..'g', gen, '1')
end
if ARGV[4] == '' then return {how, epoch} end
local at = now()
local last = redis.call('ZREVRANGE', root..'beats', 0, 0, 'WITHSCORES')
if last[2] and at - last[2] > ARGV[5] / 2 then
  for _, other in ipairs(redis.call('ZRANGE', root..'beats', 0, -1)) do redis.call('ZADD', root..'beats', at, other) end
end
redis.call('ZADD', root..'beats', at, gen)
redis.call('HSET', root..'reports', gen, ARGV[4])
local overdue = redis.call('ZRANGEBYSCORE', root..'beats', '-inf', at - ARGV[5], 'LIMIT', 0, 10)
return {how, epoch, unpack(overdue)}
`);

/** args: dead generation, its heir, how long the claim lasts, node timeout. Answers 1 where the heir may, and has to, take it apart. */
export const CLAIM = script(`
local root, claim = KEYS[1], KEYS[1]..'claim:'..ARGV[1]
${NOW}
local last = redis.call('ZSCORE', root..'beats', ARGV[1])
if not last then return 0 end
local heir = redis.call('GET', claim)
if heir and heir ~= ARGV[2] then return 0 end
if not heir and now() - last <= tonumber(ARGV[4]) then return 0 end
redis.call('HDEL', root..'g', ARGV[1])
redis.call('SET', claim, ARGV[2], 'PX', ARGV[3])
return 1
`);

/** args: generation. It can write nothing here any more. Answers what it has: places of rows and counts, places it holds. */
export const FENCE = script(`
local root, gen = KEYS[1], ARGV[1]
redis.call('HDEL', root..'g', gen)
return {redis.call('SRANDMEMBER', root..'i:'..gen, 100), redis.call('SRANDMEMBER', root..'lg:'..gen, 500)}
`);

/** args: generation. All it had is gone: forgets that it was. */
export const BURY = script(`
local root, gen = KEYS[1], ARGV[1]
redis.call('HDEL', root..'g', gen)
if redis.call('HLEN', root..'g') <= 1 then redis.call('DEL', root..'g') end
redis.call('ZREM', root..'beats', gen)
redis.call('HDEL', root..'reports', gen)
redis.call('DEL', root..'claim:'..gen)
return 1
`);

/** Answers who may write in the bucket. */
export const GENERATIONS = script(`return redis.call('HKEYS', KEYS[1]..'g')`);

/** args: generations that may write somewhere. Answers those of them that never beat. */
export const SILENT = script(`
local silent = {}
for _, gen in ipairs(ARGV) do
  if not redis.call('ZSCORE', KEYS[1]..'beats', gen) then silent[#silent + 1] = gen end
end
return silent
`);

/** args: generations. They count as nodes whose last beat was long ago. */
export const ADOPT = script(`
for _, gen in ipairs(ARGV) do redis.call('ZADD', KEYS[1]..'beats', 'NX', 0, gen) end
return 1
`);

/** Answers the time, generations with the time of their last beats, then generations with reports. */
export const NODES = script(`
${NOW}
return {now(), redis.call('ZRANGE', KEYS[1]..'beats', 0, -1, 'WITHSCORES'), redis.call('HGETALL', KEYS[1]..'reports')}
`);

/** args: generation, place, dead generation's rows wanted. Answers connections with users. */
export const ROWS = script(`
return redis.call('HSCAN', KEYS[1]..'r:'..ARGV[1]..':'..ARGV[2], '0', 'COUNT', 100)[2]
`);

/** args: generation, place, connection, user, its opening as JSON, most members or -1, how to publish, subject, announcement or "", whether to list. */
export const JOIN = script(`
local root, gen, place, connection, user = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('HEXISTS', root..'g', gen) == 0 then return {'gone'} end
${NOW}
local rows, members = root..'r:'..gen..':'..place, root..'m:'..place
local first = 0
if redis.call('HEXISTS', rows, connection) == 0 then
  local isNew = redis.call('HEXISTS', members, user) == 0
  local most = tonumber(ARGV[6])
  if isNew and most >= 0 and redis.call('HLEN', members) >= most then return {'full'} end
  redis.call('HSET', rows, connection, user)
  redis.call('SADD', root..'i:'..gen, place)
  redis.call('HINCRBY', root..'n:'..place, user, 1)
  if isNew then
    first = 1
    redis.call('HSET', members, user, ARGV[5]..','..string.format('%.0f', now())..']')
    if ARGV[9] ~= '' then redis.call(ARGV[7], ARGV[8], ARGV[9]) end
  end
end
if ARGV[10] ~= '1' then return {'ok', first, {}} end
return {'ok', first, redis.call('HVALS', members)}
`);

/** args: generation, place, connection, user, how to publish, subject, announcement or "", whether the generation has to live. */
export const LEAVE = script(`
local root, gen, place, connection, user = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if ARGV[8] == '1' and redis.call('HEXISTS', root..'g', gen) == 0 then return {'gone'} end
local rows = root..'r:'..gen..':'..place
if redis.call('HGET', rows, connection) ~= user then return {'ok', 0} end
redis.call('HDEL', rows, connection)
if redis.call('EXISTS', rows) == 0 and redis.call('HEXISTS', root..'t:'..place, gen) == 0 then
  redis.call('SREM', root..'i:'..gen, place)
end
if redis.call('HINCRBY', root..'n:'..place, user, -1) > 0 then return {'ok', 0} end
redis.call('HDEL', root..'n:'..place, user)
redis.call('HDEL', root..'m:'..place, user)
if ARGV[7] ~= '' then redis.call(ARGV[5], ARGV[6], ARGV[7]) end
return {'ok', 1}
`);

/** args: place, user, how to publish, subject, announcement. For a user who left while the data was lost: says so, unless it is there. */
export const DEPART = script(`
if redis.call('HEXISTS', KEYS[1]..'m:'..ARGV[1], ARGV[2]) == 1 then return 0 end
redis.call(ARGV[3], ARGV[4], ARGV[5])
return 1
`);

/** args: generation, place, count, app's index, channel or "" where it is not listed, whether the generation has to live. */
export const TALLY = script(`
local root, gen, place, count = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
if ARGV[6] == '1' and redis.call('HEXISTS', root..'g', gen) == 0 then return {'gone'} end
local counts, index = root..'t:'..place, root..'x:'..ARGV[4]
local old = tonumber(redis.call('HGET', counts, gen) or 0)
if old ~= count then
  if count == 0 then redis.call('HDEL', counts, gen) else redis.call('HSET', counts, gen, count) end
end
if count > 0 then
  redis.call('SADD', root..'i:'..gen, place)
elseif redis.call('EXISTS', root..'r:'..gen..':'..place) == 0 then
  redis.call('SREM', root..'i:'..gen, place)
end
if old == count then return {'ok', ''} end
local sum = redis.call('HINCRBY', counts, '', count - old)
if sum <= 0 then
  redis.call('DEL', counts)
  redis.call('ZREM', index, ARGV[5])
  return {'ok', 'vacated'}
end
if sum > count - old then return {'ok', 'counted'} end
if ARGV[5] ~= '' then redis.call('ZADD', index, 0, ARGV[5]) end
return {'ok', 'occupied'}
`);

/** args: place. */
export const MEMBERS = script(`return redis.call('HVALS', KEYS[1]..'m:'..ARGV[1])`);

/** args: place. Answers subscribers, users. */
export const SUMMARY = script(`
return {tonumber(redis.call('HGET', KEYS[1]..'t:'..ARGV[1], '') or 0), redis.call('HLEN', KEYS[1]..'m:'..ARGV[1])}
`);

/** args: app's index, how places of the app begin, prefix, the name to go on after or "", how many. Answers names, subscribers, users in turn. */
export const CHANNELS = script(`
local root, prefix, after = KEYS[1], ARGV[3], ARGV[4]
local from = after == '' and '['..prefix or '('..after
local found = {}
for _, name in ipairs(redis.call('ZRANGEBYLEX', root..'x:'..ARGV[1], from, '('..prefix..'\\255', 'LIMIT', 0, ARGV[5])) do
  local place = ARGV[2]..name
  found[#found + 1] = name
  found[#found + 1] = tonumber(redis.call('HGET', root..'t:'..place, '') or 0)
  found[#found + 1] = redis.call('HLEN', root..'m:'..place)
end
return found
`);

/**
 * Where the numbering of a place stands. Another life of the server begins another epoch, because what was said last in the
 * one before may not have been written down; the numbers go on, so that what is still kept has its place.
 */
const HEAD = `
local function headOf(root, place, run, at, isNeeded)
  local head = root..'p:'..place
  local known = redis.call('HMGET', head, 'e', 'o', 'r')
  local epoch, offset = known[1], known[2]
  if epoch and known[3] == run or not isNeeded then return epoch, tonumber(offset or 0), known[3] == run end
  if not offset then
    local last = redis.call('XREVRANGE', root..'h:'..place, '+', '-', 'COUNT', 1)[1]
    offset = last and string.match(last[1], '^%d+') or '0'
  end
  epoch = string.sub(run, 1, 8)..string.format('%.0f', at)..redis.call('TIME')[2]
  redis.call('HSET', head, 'e', epoch, 'o', offset, 'r', run)
  return epoch, tonumber(offset), true
end
local function atLeast(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end`;

/** How long a numbering is remembered that nobody uses; those that somebody is subscribed to are used again before. */
export const HEAD_TTL_MS = 120_000;

/**
 * args: place, publication, size, time to live, how to publish, subject, sender, number, which life of the server it is.
 * A sender numbers what it says, so that what it says twice, because no answer came, is kept and published once.
 */
export const KEEP = script(`
local root, place, sender, number, ttl = KEYS[1], ARGV[1], 's:'..ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[4])
${NOW}
${HEAD}
local history, head, at = root..'h:'..place, root..'p:'..place, now()
local epoch, offset = headOf(root, place, ARGV[9], at, true)
local said = redis.call('HGET', head, sender)
if said then
  local last, lastOffset = string.match(said, '^(%d+) (%d+)$')
  if number <= tonumber(last) then
    return {epoch, number == tonumber(last) and tonumber(lastOffset) or -1}
  end
end
offset = offset + 1
redis.call('HSET', head, 'o', offset, sender, string.format('%.0f %.0f', number, offset))
redis.call('XADD', history, 'MAXLEN', '=', ARGV[3], string.format('%.0f-1', offset), 'x', string.format('%.0f', at + ttl), 'd', ARGV[2])
atLeast(history, ttl)
atLeast(head, math.max(2 * ttl, ${HEAD_TTL_MS}))
redis.call(ARGV[5], ARGV[6], '{"p":["'..epoch..'",'..string.format('%.0f', offset)..'],'..string.sub(ARGV[2], 2))
return {epoch, offset}
`);

/** args: places whose numbering goes on being used. */
export const TOUCH = script(`
for _, place in ipairs(ARGV) do
  local head = KEYS[1]..'p:'..place
  if redis.call('PTTL', head) < ${HEAD_TTL_MS} then redis.call('PEXPIRE', head, ${HEAD_TTL_MS}) end
end
return 1
`);

/** args: place, epoch of a position or "", its offset, limit, whether it is to have an epoch in any case, which life of the server it is. Answers epoch, offset, completeness, and offset, rest of life, publication of each. */
export const HISTORY = script(`
local root, place, since, limit = KEYS[1], ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
${NOW}
${HEAD}
local history, at, asks = root..'h:'..place, now(), ARGV[2] ~= ''
local epoch, newest, isKnown = headOf(root, place, ARGV[6], at, ARGV[5] == '1')
if not epoch then return {'', 0, asks and 0 or 1, {}} end
if ARGV[5] == '1' then atLeast(root..'p:'..place, ${HEAD_TTL_MS}) end
local oldest = newest
while true do
  local first = redis.call('XRANGE', history, '-', '+', 'COUNT', 1)[1]
  if not first then break end
  if tonumber(first[2][2]) > at then
    oldest = tonumber(string.match(first[1], '^%d+')) - 1
    break
  end
  redis.call('XDEL', history, first[1])
end
local function live(found)
  local answer = {}
  for _, entry in ipairs(found) do
    local left = tonumber(entry[2][2]) - at
    if left > 0 then answer[#answer + 1] = {string.match(entry[1], '^%d+'), left, entry[2][4]} end
  end
  return answer, #answer == #found
end
if not asks then
  local answer = live(redis.call('XREVRANGE', history, '+', '-', 'COUNT', limit))
  return {epoch, newest, 1, answer}
end
if isKnown and ARGV[2] == epoch and since >= oldest and since <= newest then
  local answer, isWhole = live(redis.call('XRANGE', history, string.format('%.0f', since + 1), '+', 'COUNT', limit))
  if isWhole then return {epoch, newest, 1, answer} end
end
local answer = live(redis.call('XRANGE', history, '-', '+', 'COUNT', limit))
return {epoch, newest, 0, answer}
`);

/** args: generation, place, holder, most or -1. */
export const TAKE = script(`
local root, gen, place, holder = KEYS[1], ARGV[1], KEYS[1]..'l:'..ARGV[2], ARGV[3]
if redis.call('HEXISTS', root..'g', gen) == 0 then return 'gone' end
local most = tonumber(ARGV[4])
if redis.call('HEXISTS', place, holder) == 0 and most >= 0 and redis.call('HLEN', place) >= most then return 'none' end
redis.call('HSET', place, holder, gen)
redis.call('SADD', root..'lg:'..gen, cjson.encode({ARGV[2], holder}))
return 'ok'
`);

/** args: generation, place, holder. */
export const GIVE_BACK = script(`
local root, gen, place, holder = KEYS[1], ARGV[1], KEYS[1]..'l:'..ARGV[2], ARGV[3]
if redis.call('HGET', place, holder) == gen then redis.call('HDEL', place, holder) end
return redis.call('SREM', root..'lg:'..gen, cjson.encode({ARGV[2], holder}))
`);

/** args: name, tokens per second. Answers how many milliseconds until there is one. */
export const SPEND = script(`
local bucket, rate = KEYS[1]..'b:'..ARGV[1], tonumber(ARGV[2])
local t = redis.call('TIME')
local at = t[1] * 1000 + t[2] / 1000
local known = redis.call('HMGET', bucket, 'n', 'a')
local tokens = rate
if known[1] then tokens = math.min(rate, known[1] + math.max(0, at - known[2]) / 1000 * rate) end
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = (1 - tokens) / rate * 1000 end
redis.call('HSET', bucket, 'n', string.format('%.9f', tokens), 'a', string.format('%.3f', at))
redis.call('PEXPIRE', bucket, math.max(1000, math.ceil(1000 / rate)))
return string.format('%.6f', wait)
`);

/** args: key, time to live. */
export const ONCE = script(`return redis.call('SET', KEYS[1]..'o:'..ARGV[1], '1', 'NX', 'PX', ARGV[2]) and 1 or 0`);

/** args: key. */
export const NOTED = script(`return redis.call('EXISTS', KEYS[1]..'o:'..ARGV[1])`);

/** args: key. */
export const FORGET = script(`return redis.call('DEL', KEYS[1]..'o:'..ARGV[1])`);

export const SCRIPTS: readonly Script[] = [
  BEAT,
  CLAIM,
  FENCE,
  BURY,
  GENERATIONS,
  SILENT,
  ADOPT,
  NODES,
  ROWS,
  JOIN,
  LEAVE,
  DEPART,
  TALLY,
  MEMBERS,
  SUMMARY,
  CHANNELS,
  KEEP,
  TOUCH,
  HISTORY,
  TAKE,
  GIVE_BACK,
  SPEND,
  ONCE,
  NOTED,
  FORGET,
];

function script(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}
