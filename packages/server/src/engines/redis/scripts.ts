/**
 * What has to happen in one step, as scripts that Redis runs. KEYS[1] is the root of a bucket; every key is made from it, so
 * that all of them are in one slot. Of a bucket are:
 *
 * g           generation → 1, of every node that may write here, or 0, of one that is being taken apart; under "" the epoch of the data
 * beats, reports, claim:GEN: the nodes, in the first bucket only
 * h:PLACE     history, p:PLACE where it stands
 * b:NAME      a bucket of tokens; o:KEY noted once; k:KEY of a publication; v:NAME the greatest of numbers
 *
 * and under the era, which is how the epoch begins:
 *
 * i:GEN       places in which the generation has anything
 * r:GEN:PLACE connection → user, of the generation's rows
 * n:PLACE     user → how many connections; m:PLACE user → ["id",info,joinedAtMs] or ["id",null,"info as it was written",joinedAtMs]
 * t:PLACE     generation → its subscribers; under "" the sum
 * x:APP       channels that somebody is subscribed to, in the order of their names
 * l:PLACE     holder → generation; lg:GEN the places it holds
 *
 * What is under an era lives as long as a lease, which its nodes renew each quarter of one (RENEW). `g` lives half as long, from the last
 * beat on: where nobody beats, the era is over before any of its keys is, so nobody ever finds one of them without the others.
 */

import { COUNT_NOT_LISTENING, HISTORY, PUBLISH_ONCE, PUBLISH_TO_HISTORY, TOUCH_HEADS } from "./history-scripts.ts";
import { NOW, type Script, script } from "./script.ts";

/** Whether the generation may write here; how keys of the era begin. Before the first beat there is none, and nothing under it. */
const ERA = `
local function era(gen)
  local known = redis.call('HMGET', KEYS[1]..'g', gen, '')
  return KEYS[1]..string.sub(known[2] or '', 1, 8)..':', known[1] == '1'
end`;

/**
 * args: generation, epoch it knows or "", epoch to begin with, report or "", node timeout, milliseconds that are long ago, lease. Answers: how, epoch, overdue generations.
 * Where nobody has beaten for half that time, it was Redis that was away, and everybody is given time to come back. The first
 * line writes nothing: after it, a Redis that is full lets the rest through, so that no node dies of that.
 */
export const HEARTBEAT = script(`
redis.call('DEL', KEYS[1]..'none')
local root, gen, known = KEYS[1], ARGV[1], ARGV[2]
${NOW}
local epoch = redis.call('HGET', root..'g', '')
local how = 'here'
if known == '' then
  how = 'new'
elseif redis.call('HGET', root..'g', gen) ~= '1' then
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
redis.call('PEXPIRE', root..'g', ARGV[7] / 2)
if ARGV[4] == '' then return {how, epoch} end
local at = now()
local last = redis.call('ZREVRANGE', root..'beats', 0, 0, 'WITHSCORES')
if last[2] and at - last[2] > ARGV[5] / 2 then
  for _, other in ipairs(redis.call('ZRANGE', root..'beats', 0, -1)) do redis.call('ZADD', root..'beats', at, other) end
end
redis.call('ZADD', root..'beats', at, gen)
redis.call('HSET', root..'reports', gen, ARGV[4])
redis.call('PEXPIRE', root..'beats', ARGV[7] / 2)
redis.call('PEXPIRE', root..'reports', ARGV[7] / 2)
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
if redis.call('HEXISTS', root..'g', ARGV[1]) == 1 then redis.call('HSET', root..'g', ARGV[1], '0') end
redis.call('SET', claim, ARGV[2], 'PX', ARGV[3])
return 1
`);

/**
 * args: generation. It can write nothing here any more, and what it had without rows is taken back at once. Answers places of which rows
 * have to be taken back first, then places with what became of them, in turn, and whether there was anything.
 */
export const TAKE_BACK = script(`
${ERA}
local gen = ARGV[1]
if redis.call('HEXISTS', KEYS[1]..'g', gen) == 1 then redis.call('HSET', KEYS[1]..'g', gen, '0') end
local root = era(gen)
local crowded, changes = {}, {}
local places = redis.call('SRANDMEMBER', root..'i:'..gen, 500)
for _, place in ipairs(places) do
  if redis.call('EXISTS', root..'r:'..gen..':'..place) == 1 then
    crowded[#crowded + 1] = place
  else
    local counts = root..'t:'..place
    local count = redis.call('HGET', counts, gen)
    if count then
      redis.call('HDEL', counts, gen)
      changes[#changes + 1] = place
      if redis.call('HINCRBY', counts, '', -count) > 0 then
        changes[#changes + 1] = 'counted'
      else
        redis.call('DEL', counts)
        local app, channel = string.match(place, '^([^:]*):(.*)$')
        redis.call('ZREM', root..'x:'..app, channel)
        changes[#changes + 1] = 'vacated'
      end
    end
    redis.call('SREM', root..'i:'..gen, place)
  end
end
local holds = redis.call('SRANDMEMBER', root..'lg:'..gen, 500)
for _, hold in ipairs(holds) do
  local place, holder = unpack(cjson.decode(hold))
  if redis.call('HGET', root..'l:'..place, holder) == gen then redis.call('HDEL', root..'l:'..place, holder) end
  redis.call('SREM', root..'lg:'..gen, hold)
end
return {crowded, changes, #places + #holds}
`);

/**
 * args: generation, lease, where to go on among its places and among what it holds, or "" where that is done, how many at once. Whatever is shared with others
 * lives as long as anybody who has a part in it. Answers where to go on.
 */
export const RENEW = script(`
${ERA}
local gen, lease = ARGV[1], ARGV[2]
local root = era('')
local function renew(key) redis.call('PEXPIRE', root..key, lease) end
local function page(key, after, each)
  if after == '' then return '' end
  renew(key)
  local found = redis.call('SSCAN', root..key, after, 'COUNT', ARGV[5])
  for _, one in ipairs(found[2]) do each(one) end
  return found[1] == '0' and '' or found[1]
end
local apps = {}
local places = page('i:'..gen, ARGV[3], function(place)
  for _, kind in ipairs({'r:'..gen..':', 't:', 'n:', 'm:'}) do renew(kind..place) end
  apps[string.match(place, '^[^:]*')] = true
end)
for app in pairs(apps) do renew('x:'..app) end
local holds = page('lg:'..gen, ARGV[4], function(hold) renew('l:'..cjson.decode(hold)[1]) end)
return {places, holds}
`);

/** args: generation. All it had is gone: forgets that it was. */
export const FORGET_NODE = script(`
local root, gen = KEYS[1], ARGV[1]
redis.call('HDEL', root..'g', gen)
if redis.call('HLEN', root..'g') <= 1 then redis.call('DEL', root..'g') end
redis.call('ZREM', root..'beats', gen)
redis.call('HDEL', root..'reports', gen)
redis.call('DEL', root..'claim:'..gen)
return 1
`);

/** Answers who may write in the bucket. */
export const WRITERS = script(`return redis.call('HKEYS', KEYS[1]..'g')`);

/** args: generations that may write somewhere. Answers those of them that never beat. */
export const WITHOUT_HEARTBEAT = script(`
local silent = {}
for _, gen in ipairs(ARGV) do
  if not redis.call('ZSCORE', KEYS[1]..'beats', gen) then silent[#silent + 1] = gen end
end
return silent
`);

/** args: generations. They count as nodes whose last beat was long ago. */
export const ADD_AS_SILENT = script(`
for _, gen in ipairs(ARGV) do redis.call('ZADD', KEYS[1]..'beats', 'NX', 0, gen) end
return 1
`);

/** Answers the time, generations with the time of their last beats, then generations with reports. */
export const NODES = script(`
${NOW}
return {now(), redis.call('ZRANGE', KEYS[1]..'beats', 0, -1, 'WITHSCORES'), redis.call('HGETALL', KEYS[1]..'reports')}
`);

/** args: generation, place. Answers connections with users. */
export const ENTRIES = script(`
${ERA}
return redis.call('HSCAN', era('')..'r:'..ARGV[1]..':'..ARGV[2], '0', 'COUNT', 100)[2]
`);

/** args: generation, place, connection, user, its opening as JSON, most members or -1, how to publish, subject, announcement or "", whether to list, lease. */
export const JOIN = script(`
local gen, place, connection, user, lease = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[11]
${ERA}
local root, isAlive = era(gen)
if not isAlive then return {'gone'} end
${NOW}
local rows, members = root..'r:'..gen..':'..place, root..'m:'..place
local first = 0
if redis.call('HEXISTS', rows, connection) == 0 then
  local isNew = redis.call('HEXISTS', members, user) == 0
  local most = tonumber(ARGV[6])
  if isNew and most >= 0 and redis.call('HLEN', members) >= most then return {'full'} end
  redis.call('HSET', rows, connection, user)
  redis.call('PEXPIRE', rows, lease)
  if redis.call('SADD', root..'i:'..gen, place) == 1 then redis.call('PEXPIRE', root..'i:'..gen, lease) end
  redis.call('HINCRBY', root..'n:'..place, user, 1)
  if isNew then
    first = 1
    redis.call('PEXPIRE', root..'n:'..place, lease)
    redis.call('HSET', members, user, ARGV[5]..','..string.format('%.0f', now())..']')
    redis.call('PEXPIRE', members, lease)
    if ARGV[9] ~= '' then redis.call(ARGV[7], ARGV[8], ARGV[9]) end
  end
end
if ARGV[10] ~= '1' then return {'ok', first, {}} end
return {'ok', first, redis.call('HVALS', members)}
`);

/** args: generation, place, connection, user, how to publish, subject, announcement or "", whether the generation has to live. */
export const LEAVE = script(`
local gen, place, connection, user = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
${ERA}
local root, isAlive = era(gen)
if ARGV[8] == '1' and not isAlive then return {'gone'} end
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
export const ANNOUNCE_DEPARTURE = script(`
${ERA}
if redis.call('HEXISTS', era('')..'m:'..ARGV[1], ARGV[2]) == 1 then return 0 end
redis.call(ARGV[3], ARGV[4], ARGV[5])
return 1
`);

/** args: generation, place, count, app's index, channel or "" where it is not listed, lease. */
export const SET_SUBSCRIBER_COUNT = script(`
local gen, place, count, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[6]
${ERA}
local root, isAlive = era(gen)
if not isAlive then return {'gone'} end
local counts, index = root..'t:'..place, root..'x:'..ARGV[4]
local old = tonumber(redis.call('HGET', counts, gen) or 0)
if old ~= count then
  if count == 0 then redis.call('HDEL', counts, gen) else redis.call('HSET', counts, gen, count) end
end
if count > 0 then
  if redis.call('SADD', root..'i:'..gen, place) == 1 then redis.call('PEXPIRE', root..'i:'..gen, lease) end
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
if old == 0 then redis.call('PEXPIRE', counts, lease) end
if sum > count - old then return {'ok', 'counted'} end
if ARGV[5] ~= '' then
  redis.call('ZADD', index, 0, ARGV[5])
  redis.call('PEXPIRE', index, lease)
end
return {'ok', 'occupied'}
`);

/** args: place. */
export const MEMBERS = script(`
${ERA}
return redis.call('HVALS', era('')..'m:'..ARGV[1])
`);

/** args: place. Answers subscribers, users. */
export const SUMMARY = script(`
${ERA}
local root = era('')
return {tonumber(redis.call('HGET', root..'t:'..ARGV[1], '') or 0), redis.call('HLEN', root..'m:'..ARGV[1])}
`);

/** args: app's index, how places of the app begin, prefix, the name to go on after or "", how many. Answers names, subscribers, users in turn. */
export const CHANNELS = script(`
${ERA}
local root, prefix, after = era(''), ARGV[3], ARGV[4]
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

/** args: generation, place, holder, most or -1, lease. */
export const ACQUIRE = script(`
${ERA}
local gen, holder, most = ARGV[1], ARGV[3], tonumber(ARGV[4])
local root, isAlive = era(gen)
if not isAlive then return 'gone' end
local place = root..'l:'..ARGV[2]
if redis.call('HEXISTS', place, holder) == 0 and most >= 0 and redis.call('HLEN', place) >= most then return 'none' end
redis.call('HSET', place, holder, gen)
redis.call('PEXPIRE', place, ARGV[5])
if redis.call('SADD', root..'lg:'..gen, cjson.encode({ARGV[2], holder})) == 1 then
  redis.call('PEXPIRE', root..'lg:'..gen, ARGV[5])
end
return 'ok'
`);

/** args: generation, place, holder. */
export const RELEASE = script(`
${ERA}
local gen, holder, root = ARGV[1], ARGV[3], era('')
local place = root..'l:'..ARGV[2]
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
export const SET_IF_ABSENT = script(
  `return redis.call('SET', KEYS[1]..'o:'..ARGV[1], '1', 'NX', 'PX', ARGV[2]) and 1 or 0`,
);

/** args: key. */
export const EXISTS = script(`return redis.call('EXISTS', KEYS[1]..'o:'..ARGV[1])`);

/** args: key. */
export const DELETE = script(`return redis.call('DEL', KEYS[1]..'o:'..ARGV[1])`);

/** args: name, number, time to live. Keeps the greater number, and the longer time. */
export const SET_MAX = script(`
local level, to, ttl = KEYS[1]..'v:'..ARGV[1], ARGV[2], tonumber(ARGV[3])
local before = redis.call('GET', level)
if before and tonumber(before) > tonumber(to) then to = before end
redis.call('SET', level, to, 'PX', math.max(ttl, redis.call('PTTL', level)))
return 1
`);

/** args: name. */
export const GET = script(`return redis.call('GET', KEYS[1]..'v:'..ARGV[1])`);

export const SCRIPTS: readonly Script[] = [
  HEARTBEAT,
  CLAIM,
  TAKE_BACK,
  RENEW,
  FORGET_NODE,
  WRITERS,
  COUNT_NOT_LISTENING,
  WITHOUT_HEARTBEAT,
  ADD_AS_SILENT,
  NODES,
  ENTRIES,
  JOIN,
  LEAVE,
  ANNOUNCE_DEPARTURE,
  SET_SUBSCRIBER_COUNT,
  MEMBERS,
  SUMMARY,
  CHANNELS,
  PUBLISH_TO_HISTORY,
  PUBLISH_ONCE,
  TOUCH_HEADS,
  HISTORY,
  ACQUIRE,
  RELEASE,
  SPEND,
  SET_IF_ABSENT,
  EXISTS,
  DELETE,
  SET_MAX,
  GET,
];
