/** Publishing, with history and without, as scripts. */

import { batchScript, NOW, script, WHOLE } from "./script.ts";

/** Epochs of one numbering that are remembered. */
const MAX_EPOCHS = 16;

/** How long a numbering is remembered that is not used; those that a node is subscribed to are used again before. */
export const HEAD_TTL_MS = 120_000;

/** How often a node touches the numberings that it may know a position in. */
export const TOUCH_EVERY_MS = HEAD_TTL_MS / 4;

/**
 * Where the numbering of a channel stands. Another run of the server begins another epoch, because what was published last in
 * the one before may not have been written down; the numbers go on, so that what is still kept has its place. Which epochs they
 * were, and where each ended, is written in `epochs`, the present one first: so a node finds its place again, and sends nothing
 * twice. Where that is not known, because the head is lost or an older version began the epoch, the name is `-`.
 */
export const HEAD = `
local function headOf(channel, run, at, isNeeded)
  local head = root..'head:'..channel
  local epoch, offset, knownRun, epochs = unpack(redis.call('HMGET', head, 'epoch', 'offset', 'run', 'epochs'))
  if epoch and string.match(epochs or '', '^%S+') ~= epoch then epochs = epoch..' 0 - '..offset end
  if epoch and knownRun == run or not isNeeded then return epoch, tonumber(offset or 0), knownRun == run, epochs end
  if not offset then
    local newest = redis.call('XREVRANGE', root..'history:'..channel, '+', '-', 'COUNT', 1)[1]
    offset = newest and string.match(newest[1], '^%d+') or '0'
    epochs = offset == '0' and '' or '- '..offset
  else
    epochs = epoch..' '..offset..string.match(epochs, '^%S+ %d+(.*)$')
  end
  epoch = string.sub(run, 1, 8)..whole(at)..redis.call('TIME')[2]
  local list = {epoch..' 0'}
  for name, last in string.gmatch(epochs, '(%S+) (%d+)') do
    if #list == ${MAX_EPOCHS} then name = '-' end
    list[#list + 1] = name..' '..last
    if name == '-' then break end
  end
  epochs = table.concat(list, ' ')
  redis.call('HSET', head, 'epoch', epoch, 'offset', offset, 'run', run, 'epochs', epochs)
  return epoch, tonumber(offset), true, epochs
end
local function liveAtLeast(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end`;

/**
 * Numbers, keeps and publishes, perhaps under an idempotency key, "" where there is none. Answers 0 where the key is known. `isShared` is
 * "1" where the channels of the app share a number of bytes: then what has expired goes at once, not only when somebody asks for it. A sender numbers
 * what it publishes, so that what it sends twice, because no answer came, is kept and published once.
 */
export const PUBLISH_TO_HISTORY = batchScript(
  {
    shared: ["size", "ttl", "publish", "subjects", "sender", "run", "keyTtl", "isShared"],
    before: `
${NOW}
${WHOLE}
${HEAD}
size, ttl = tonumber(size), tonumber(ttl)
local sentBy, at = 'sender:'..sender, now()`,
    each: ["channel", "publication", "number", "key"],
    keepsOrder: true,
  },
  `
number = tonumber(number)
local history, head = root..'history:'..channel, root..'head:'..channel
local epoch, offset = headOf(channel, run, at, true)
local sent, lastAt = unpack(redis.call('HMGET', head, sentBy, 'at'))
local publishedAt = whole(math.max(at, tonumber(lastAt or 0)))
if sent then
  local lastNumber, lastOffset = string.match(sent, '^(%d+) (%d+)$')
  if number <= tonumber(lastNumber) then
    return {epoch, number == tonumber(lastNumber) and tonumber(lastOffset) or -1}
  end
end
if key ~= '' and not redis.call('SET', root..'published:'..key, '1', 'NX', 'PX', keyTtl) then return 0 end
offset = offset + 1
redis.call('HSET', head, 'offset', offset, sentBy, whole(number)..' '..whole(offset), 'at', publishedAt)
redis.call('XADD', history, 'MINID', '=', whole(math.max(0, offset - size + 1)), whole(offset)..'-1',
  'expiresAt', whole(at + ttl), 'data', publication, 'at', publishedAt)
for _ = 1, isShared == '1' and 2 or 0 do
  local first = redis.call('XRANGE', history, '-', '+', 'COUNT', 1)[1]
  if tonumber(first[2][2]) <= at then redis.call('XDEL', history, first[1]) end
end
liveAtLeast(history, ttl)
liveAtLeast(head, math.max(2 * ttl, ${HEAD_TTL_MS}))
redis.call(publish, subjects..channel, '{"position":["'..epoch..'",'..whole(offset)..'],'..string.sub(publication, 2))
return {epoch, offset}`,
);

/**
 * Publishes under an idempotency key what is not kept. `publicationId` says which publication of which sender it is; `onlyAgain` is "1"
 * where it is only to be published again, if it was published. Answers 0 where another one was published under the key. What is published again is
 * received by those that did not receive it, because it has its number.
 */
export const PUBLISH_ONCE = script(
  ["key", "ttl", "publication", "publish", "subject", "publicationId", "onlyAgain"],
  `
key = root..'published:'..key
local known = redis.call('GET', key)
if known and known ~= publicationId or not known and onlyAgain == '1' then return 0 end
if not known then redis.call('SET', key, publicationId, 'PX', ttl) end
local published = redis.pcall(publish, subject, publication)
if type(published) ~= 'table' then return 1 end
if not known then redis.call('DEL', key) end
return published`,
  { keepsOrder: true },
);

/** Forgets one event of a channel's history, and the history with its last one. */
export const FORGET = script(
  ["channel", "offset"],
  `
local history = root..'history:'..channel
redis.call('XDEL', history, offset..'-1')
if redis.call('XLEN', history) == 0 then redis.call('DEL', history) end
return 1`,
);

/** `countSubscribers` is the subcommand of PUBSUB. Answers how many of those that may write in the shard are not subscribed to the subject. */
export const COUNT_NOT_LISTENING = script(
  ["countSubscribers", "subject"],
  `
local missing = -redis.call('PUBSUB', countSubscribers, subject)[2]
for _, isWriter in ipairs(redis.call('HVALS', root..'writers')) do
  if isWriter == '1' then missing = missing + 1 end
end
return math.max(0, missing)`,
);

/** The numberings of these channels go on being used. */
export const TOUCH_HEADS = script(
  ["channels"],
  `
for _, channel in ipairs(cjson.decode(channels)) do
  local head = root..'head:'..channel
  if redis.call('PTTL', head) < ${HEAD_TTL_MS} then redis.call('PEXPIRE', head, ${HEAD_TTL_MS}) end
end
return 1`,
);
