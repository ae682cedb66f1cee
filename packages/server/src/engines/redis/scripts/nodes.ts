/** Which nodes live, as scripts, and how one that does not is taken apart. */

import { DATASET, NOW, script, WHOLE } from "./script.ts";

/**
 * Answers a state, the dataset, and incarnations that are overdue. Where no node has sent a heartbeat for half the timeout, it
 * was Redis that was away, and all nodes are given time to come back. The first line writes nothing: after it, a Redis that is
 * full lets the rest through, so that no node dies of that.
 */
export const HEARTBEAT = script(
  ["incarnation", "known", "newDataset", "report", "timeout", "longAgo", "lease"],
  `
redis.call('DEL', root..'none')
${NOW}
${WHOLE}
local writers, heartbeats, reports = root..'writers', root..'heartbeats', root..'reports'
local current = redis.call('HGET', writers, '')
local state = 'known'
if known == '' then
  state = 'new'
elseif redis.call('HGET', writers, incarnation) ~= '1' then
  if current == known then return {'reaped', current} end
  state = 'lost'
  local createdAt = current and tonumber(string.match(current, '@(%d+)$'))
  if createdAt and now() - createdAt > tonumber(longAgo) then state = 'lost long ago' end
end
if state ~= 'known' then
  if not current then
    current = newDataset..'@'..whole(now())
    redis.call('HSET', writers, '', current)
  end
  redis.call('HSET', writers, incarnation, '1')
end
redis.call('PEXPIRE', writers, lease / 2)
if report == '' then return {state, current} end
local at = now()
local newest = redis.call('ZREVRANGE', heartbeats, 0, 0, 'WITHSCORES')
if newest[2] and at - newest[2] > timeout / 2 then
  for _, other in ipairs(redis.call('ZRANGE', heartbeats, 0, -1)) do redis.call('ZADD', heartbeats, at, other) end
end
redis.call('ZADD', heartbeats, at, incarnation)
redis.call('HSET', reports, incarnation, report)
redis.call('PEXPIRE', heartbeats, lease / 2)
redis.call('PEXPIRE', reports, lease / 2)
local overdue = redis.call('ZRANGEBYSCORE', heartbeats, '-inf', at - timeout, 'LIMIT', 0, 10)
return {state, current, unpack(overdue)}`,
);

/** Answers 1 where the reaper may, and has to, take the dead incarnation apart. */
export const CLAIM = script(
  ["dead", "reaper", "timeout"],
  `
${NOW}
local claim = root..'claim:'..dead
local last = redis.call('ZSCORE', root..'heartbeats', dead)
if not last then return 0 end
local claimedBy = redis.call('GET', claim)
if claimedBy and claimedBy ~= reaper then return 0 end
if not claimedBy and now() - last <= tonumber(timeout) then return 0 end
if redis.call('HEXISTS', root..'writers', dead) == 1 then redis.call('HSET', root..'writers', dead, '0') end
redis.call('SET', claim, reaper, 'PX', timeout)
return 1`,
);

/**
 * The incarnation can write nothing here any more, and what it had besides presence is taken back at once. Answers channels of
 * which its presence has to be taken back first; then channels, each followed by what became of it; and whether there was anything.
 */
export const TAKE_BACK = script(
  ["incarnation"],
  `
${DATASET}
local data = dataset(incarnation)
if redis.call('HEXISTS', root..'writers', incarnation) == 1 then redis.call('HSET', root..'writers', incarnation, '0') end
local withPresence, changes = {}, {}
local channels = redis.call('SRANDMEMBER', data..'node-channels:'..incarnation, 500)
for _, channel in ipairs(channels) do
  if redis.call('EXISTS', data..'node-presence:'..incarnation..':'..channel) == 1 then
    withPresence[#withPresence + 1] = channel
  else
    local subscribers = data..'subscribers:'..channel
    local count = redis.call('HGET', subscribers, incarnation)
    if count then
      redis.call('HDEL', subscribers, incarnation)
      changes[#changes + 1] = channel
      if redis.call('HINCRBY', subscribers, '', -count) > 0 then
        changes[#changes + 1] = 'counted'
      else
        redis.call('DEL', subscribers)
        local app, name = string.match(channel, '^([^:]*):(.*)$')
        redis.call('ZREM', data..'channels:'..app, name)
        changes[#changes + 1] = 'vacated'
      end
    end
    redis.call('SREM', data..'node-channels:'..incarnation, channel)
  end
end
local holds = redis.call('SRANDMEMBER', data..'node-quotas:'..incarnation, 500)
for _, hold in ipairs(holds) do
  local name, holder = unpack(cjson.decode(hold))
  local quota = data..'quota:'..name
  if redis.call('HGET', quota, holder) == incarnation then redis.call('HDEL', quota, holder) end
  redis.call('SREM', data..'node-quotas:'..incarnation, hold)
end
return {withPresence, changes, #channels + #holds}`,
);

/** Answers some of the incarnation's connections in the channel, each followed by its user. */
export const ENTRIES = script(
  ["incarnation", "channel"],
  `
${DATASET}
return redis.call('HSCAN', dataset('')..'node-presence:'..incarnation..':'..channel, '0', 'COUNT', 100)[2]`,
);

/**
 * Renews a part of what the incarnation has: `channelCursor` and `holdCursor` say where to go on, or are "" where that is
 * done; answers the next ones. What is shared with other nodes lives as long as any node that has a part in it.
 */
export const RENEW = script(
  ["incarnation", "lease", "channelCursor", "holdCursor", "count"],
  `
${DATASET}
local data = dataset('')
local function renew(key) redis.call('PEXPIRE', data..key, lease) end
local function page(key, cursor, each)
  if cursor == '' then return '' end
  renew(key)
  local found = redis.call('SSCAN', data..key, cursor, 'COUNT', count)
  for _, one in ipairs(found[2]) do each(one) end
  return found[1] == '0' and '' or found[1]
end
local apps = {}
local nextChannel = page('node-channels:'..incarnation, channelCursor, function(channel)
  renew('node-presence:'..incarnation..':'..channel)
  for _, kind in ipairs({'subscribers:', 'connections:', 'presence:', 'states:'}) do renew(kind..channel) end
  apps[string.match(channel, '^[^:]*')] = true
end)
for app in pairs(apps) do renew('channels:'..app) end
local nextHold = page('node-quotas:'..incarnation, holdCursor, function(hold) renew('quota:'..cjson.decode(hold)[1]) end)
return {nextChannel, nextHold}`,
);

/** Nothing of the incarnation is left: forgets that there was such a node. */
export const FORGET_NODE = script(
  ["incarnation"],
  `
local writers = root..'writers'
redis.call('HDEL', writers, incarnation)
if redis.call('HLEN', writers) <= 1 then redis.call('DEL', writers) end
redis.call('ZREM', root..'heartbeats', incarnation)
redis.call('HDEL', root..'reports', incarnation)
redis.call('DEL', root..'claim:'..incarnation)
return 1`,
);

/** Answers which incarnations may write in the shard. */
export const WRITERS = script(
  [],
  `
local names = {}
for _, name in ipairs(redis.call('HKEYS', root..'writers')) do
  if name ~= '' then names[#names + 1] = name end
end
return names`,
);

/** Answers those of the incarnations that have no heartbeat. */
export const WITHOUT_HEARTBEAT = script(
  ["incarnations"],
  `
local silent = {}
for _, incarnation in ipairs(cjson.decode(incarnations)) do
  if not redis.call('ZSCORE', root..'heartbeats', incarnation) then silent[#silent + 1] = incarnation end
end
return silent`,
);

/** The incarnations count as nodes whose last heartbeat was long ago. */
export const ADD_AS_OVERDUE = script(
  ["incarnations"],
  `
for _, incarnation in ipairs(cjson.decode(incarnations)) do redis.call('ZADD', root..'heartbeats', 'NX', 0, incarnation) end
return 1`,
);

/** Answers the time, incarnations with the time of their last heartbeats, then incarnations with their reports. */
export const NODES = script(
  [],
  `
${NOW}
return {now(), redis.call('ZRANGE', root..'heartbeats', 0, -1, 'WITHSCORES'), redis.call('HGETALL', root..'reports')}`,
);
