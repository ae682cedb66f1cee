/** Who is where, as scripts: presence, subscriber counts and the list of channels. */

import { batchScript, DATASET, NOW, ROSTER, STATE, script, WHOLE } from "./script.ts";

/** What calls that write in the name of an incarnation share, and what is done once for them. */
const WRITER = `
${DATASET}
${NOW}
${WHOLE}
${STATE}
${ROSTER}
local data, isWriter = dataset(incarnation)
local nodeChannels = data..'node-channels:'..incarnation`;

/**
 * `member` is the beginning of what is kept of the user, to which the time is added; `limit` is -1 where there is none. `updated`
 * is "" unless the user was updated, as this node wrote it before: what another node has written since counts more. Answers JSON.
 */
export const JOIN = batchScript(
  {
    shared: ["incarnation", "limit", "publish", "subjects", "isListWanted", "lease"],
    before: `
${WRITER}
limit = tonumber(limit)`,
    each: ["channel", "connection", "user", "member", "announcement", "updated"],
  },
  `
if not isWriter then return '["gone"]' end
local nodePresence = data..'node-presence:'..incarnation..':'..channel
local presence, states = data..'presence:'..channel, data..'states:'..channel
local isFirst = 0
if redis.call('HEXISTS', nodePresence, connection) == 0 then
  local isNew = redis.call('HEXISTS', presence, user) == 0
  if isNew and limit >= 0 and redis.call('HLEN', presence) >= limit then return '["full"]' end
  redis.call('HSET', nodePresence, connection, user)
  redis.call('PEXPIRE', nodePresence, lease)
  if redis.call('SADD', nodeChannels, channel) == 1 then redis.call('PEXPIRE', nodeChannels, lease) end
  local connections = data..'connections:'..channel
  redis.call('HINCRBY', connections, user, 1)
  if isNew then
    isFirst = 1
    redis.call('PEXPIRE', connections, lease)
    redis.call('HSET', presence, user, member..','..whole(now())..']')
    redis.call('PEXPIRE', presence, lease)
    if announcement ~= '' then redis.call(publish, subjects..channel, announcement) end
  end
  local updatedAt, state = string.match(updated, '^(%d+) (.*)$')
  if updatedAt and tonumber(updatedAt) > stateOf(states, user) then
    redis.call('HSET', presence, user, member..string.match(redis.call('HGET', presence, user), ',%d+%]$'))
    setState(states, user, tonumber(updatedAt), state)
  end
end
if isListWanted ~= '1' then return '["ok",'..isFirst..']' end
return '["ok",'..isFirst..','..roster(redis.call('HVALS', presence), redis.call('HGETALL', states))..']'`,
);

/** `mustBeWriter` is "1" unless it is done for a dead incarnation. */
export const LEAVE = batchScript(
  {
    shared: ["incarnation", "publish", "subjects", "mustBeWriter"],
    before: `
${DATASET}
local data, isWriter = dataset(incarnation)`,
    each: ["channel", "connection", "user", "announcement"],
  },
  `
if mustBeWriter == '1' and not isWriter then return 'gone' end
local nodePresence = data..'node-presence:'..incarnation..':'..channel
if redis.call('HGET', nodePresence, connection) ~= user then return 'stays' end
redis.call('HDEL', nodePresence, connection)
if redis.call('EXISTS', nodePresence) == 0 and redis.call('HEXISTS', data..'subscribers:'..channel, incarnation) == 0 then
  redis.call('SREM', data..'node-channels:'..incarnation, channel)
end
if redis.call('HINCRBY', data..'connections:'..channel, user, -1) > 0 then return 'stays' end
redis.call('HDEL', data..'connections:'..channel, user)
redis.call('HDEL', data..'presence:'..channel, user)
redis.call('HDEL', data..'states:'..channel, user)
if announcement ~= '' then redis.call(publish, subjects..channel, announcement) end
return 'left'`,
);

/**
 * `member` is as for JOIN, or "" where it stays; `state` is "" where it stays, and "null" where there is none any more. Answers, as JSON,
 * whether the connection is there, and if so what is kept of the user now.
 */
export const UPDATE = batchScript(
  {
    shared: ["incarnation", "publish", "subjects", "lease"],
    before: WRITER,
    each: ["channel", "connection", "user", "member", "state", "announcement"],
  },
  `
if not isWriter then return '["gone"]' end
if redis.call('HGET', data..'node-presence:'..incarnation..':'..channel, connection) ~= user then return '["ok",0]' end
local presence, states = data..'presence:'..channel, data..'states:'..channel
local kept = redis.call('HGET', presence, user)
if member ~= '' then
  kept = member..string.match(kept, ',%d+%]$')
  redis.call('HSET', presence, user, kept)
end
local updatedAt, before = stateOf(states, user)
updatedAt = math.max(now(), updatedAt + 1)
if state == '' then state = before elseif state == 'null' then state = '' end
setState(states, user, updatedAt, state)
redis.call(publish, subjects..channel, announcement)
return '["ok",1,'..roster({kept}, {user, whole(updatedAt)..' '..state})..']'`,
);

/** For a user who left while the data was lost: announces it, unless the user is there. Answers whether it did. */
export const ANNOUNCE_DEPARTURE = script(
  ["channel", "user", "publish", "subjects", "announcement"],
  `
${DATASET}
if redis.call('HEXISTS', dataset('')..'presence:'..channel, user) == 1 then return 0 end
redis.call(publish, subjects..channel, announcement)
return 1`,
);

/** `listedAs` is the channel's name in the list of its app's channels, or "" where it is not listed. Answers what became of the channel. */
export const SET_SUBSCRIBER_COUNT = batchScript(
  {
    shared: ["incarnation", "app", "lease"],
    before: `
${WRITER}
local channels = data..'channels:'..app`,
    each: ["channel", "count", "listedAs"],
  },
  `
if not isWriter then return 'gone' end
count = tonumber(count)
local subscribers = data..'subscribers:'..channel
local before = tonumber(redis.call('HGET', subscribers, incarnation) or 0)
if before ~= count then
  if count == 0 then redis.call('HDEL', subscribers, incarnation) else redis.call('HSET', subscribers, incarnation, count) end
end
if count > 0 then
  if redis.call('SADD', nodeChannels, channel) == 1 then redis.call('PEXPIRE', nodeChannels, lease) end
elseif redis.call('EXISTS', data..'node-presence:'..incarnation..':'..channel) == 0 then
  redis.call('SREM', nodeChannels, channel)
end
if before == count then return '' end
local sum = redis.call('HINCRBY', subscribers, '', count - before)
if sum <= 0 then
  redis.call('DEL', subscribers)
  redis.call('ZREM', channels, listedAs)
  return 'vacated'
end
if before == 0 then redis.call('PEXPIRE', subscribers, lease) end
if sum > count - before then return 'counted' end
if listedAs ~= '' then
  redis.call('ZADD', channels, 0, listedAs)
  redis.call('PEXPIRE', channels, lease)
end
return 'occupied'`,
);

/** Answers, as JSON, what is kept of the members; then users, each followed by its state. */
export const MEMBERS = script(
  ["channel"],
  `
${DATASET}
${ROSTER}
local data = dataset('')
return '['..roster(redis.call('HVALS', data..'presence:'..channel), redis.call('HGETALL', data..'states:'..channel))..']'`,
);

/** Answers how many subscribers and how many users. */
export const SUMMARY = script(
  ["channel"],
  `
${DATASET}
local data = dataset('')
return {tonumber(redis.call('HGET', data..'subscribers:'..channel, '') or 0), redis.call('HLEN', data..'presence:'..channel)}`,
);

/** `after` is the name to go on after, or "". Answers names, each followed by its subscribers and its users. */
export const CHANNELS = script(
  ["app", "prefix", "after", "limit"],
  `
${DATASET}
local data = dataset('')
local from = after == '' and '['..prefix or '('..after
local found = {}
for _, name in ipairs(redis.call('ZRANGEBYLEX', data..'channels:'..app, from, '('..prefix..'\\255', 'LIMIT', 0, limit)) do
  local channel = app..':'..name
  found[#found + 1] = name
  found[#found + 1] = tonumber(redis.call('HGET', data..'subscribers:'..channel, '') or 0)
  found[#found + 1] = redis.call('HLEN', data..'presence:'..channel)
end
return found`,
);
