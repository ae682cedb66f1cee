/** Reading what is kept of a channel, and forgetting it before its time, as scripts. */

import { HEAD, HEAD_TTL_MS } from "./publish.ts";
import { NOW, script, WHOLE } from "./script.ts";

/**
 * Entries of a history, and those that were erased. `oldestOf` drops what has expired and answers the offset before the first that
 * is kept, which may be erased: an event that was purged by itself leaves its place in a hash, as the times of its end and of its
 * publication. `firstFrom` finds the first of low + 1 to high that was published at a time or later; times never go down.
 */
const KEPT = `
local history, erased = root..'history:'..channel, root..'erased:'..channel
local function offsetOf(entry) return tonumber(string.match(entry[1], '^%d+')) end
local function atOf(entry) return tonumber(entry[2][6] or 0) end
local function erasedAt(offset, at)
  local untilMs, publishedAt = string.match(redis.call('HGET', erased, whole(offset)) or '', '^(%d+) (%d+)$')
  if untilMs and tonumber(untilMs) > at then return tonumber(untilMs), publishedAt end
end
local function oldestOf(newest, at)
  local oldest = newest
  while true do
    local first = redis.call('XRANGE', history, '-', '+', 'COUNT', 1)[1]
    if not first then break end
    if tonumber(first[2][2]) > at then
      oldest = offsetOf(first) - 1
      break
    end
    redis.call('XDEL', history, first[1])
  end
  while erasedAt(oldest, at) do oldest = oldest - 1 end
  return oldest
end
local function firstFrom(ms, low, high)
  local left, right = low + 1, high + 1
  while left < right do
    local middle = math.floor((left + right) / 2)
    local entry = redis.call('XRANGE', history, whole(middle), whole(high), 'COUNT', 1)[1]
    if entry and atOf(entry) < ms then left = offsetOf(entry) + 1 else right = middle end
  end
  return left
end`;

/**
 * Bounds are "" where there are none; `isSubscribed` is "1" where the channel is to have an epoch in any case. Answers epoch, offset,
 * completeness, whether there is more; offset, remaining time, publication ("" of one that was erased) and time of each; and the epochs.
 */
export const HISTORY = script(
  [
    "channel",
    "afterEpoch",
    "after",
    "beforeEpoch",
    "before",
    "from",
    "to",
    "within",
    "limit",
    "direction",
    "isSubscribed",
    "run",
  ],
  `
${NOW}
${WHOLE}
${HEAD}
${KEPT}
local at, most = now(), tonumber(limit)
local current, newest, isSameRun, epochs = headOf(channel, run, at, isSubscribed == '1')
if not current then return {'', 0, afterEpoch..beforeEpoch == '' and 1 or 0, 0, {}, ''} end
if isSubscribed == '1' then liveAtLeast(root..'head:'..channel, ${HEAD_TTL_MS}) end
local oldest = oldestOf(newest, at)
local low, high, isWhole, isLost, isBounded = oldest, newest, true, false, false
if afterEpoch ~= '' then
  after = tonumber(after)
  local isKnown = afterEpoch == current and after <= newest
  if isKnown then low = math.max(after, oldest) end
  isWhole, isLost, isBounded = isKnown and isSameRun, after < oldest, after >= oldest
end
if beforeEpoch ~= '' then
  before = tonumber(before)
  if beforeEpoch == current and before <= newest + 1 then high = before - 1 else high = low end
  isWhole = isWhole and isSameRun and beforeEpoch == current and before <= newest + 1
end
if within ~= '' then from = math.max(tonumber(from ~= '' and from or 0), at - tonumber(within)) end
if from ~= '' then
  local first = firstFrom(tonumber(from), low, high)
  local lastAt = tonumber(redis.call('HGET', root..'head:'..channel, 'at') or 0)
  if first - 1 == oldest and oldest > 0 and not isBounded and lastAt >= tonumber(from) then isLost = true end
  low = first - 1
end
if to ~= '' then high = firstFrom(tonumber(to), low, high) - 1 end
local answer, first, last = {}, low + 1, high
while #answer < most and first <= last do
  local count, entries = most - #answer
  if direction == 'newest' then
    entries = redis.call('XREVRANGE', history, whole(last), whole(first), 'COUNT', count)
  else
    entries = redis.call('XRANGE', history, whole(first), whole(last), 'COUNT', count)
  end
  for _, entry in ipairs(entries) do
    local left = tonumber(entry[2][2]) - at
    if left > 0 then answer[#answer + 1] = {string.match(entry[1], '^%d+'), left, entry[2][4], entry[2][6] or '0'}
    else isWhole = false end
  end
  if #entries < count then first = last + 1
  elseif direction == 'newest' then last = offsetOf(entries[#entries]) - 1
  else first = offsetOf(entries[#entries]) + 1 end
end
local hasMore = most > 0 and first <= last
if isLost and not (hasMore and direction == 'newest') then isWhole = false end
if most > 0 and redis.call('EXISTS', erased) == 1 then
  local from, to = low + 1, high
  if hasMore and direction == 'newest' then from = last + 1 elseif hasMore then to = first - 1 end
  for _, offset in ipairs(redis.call('HKEYS', erased)) do
    local place = tonumber(offset)
    local untilMs, publishedAt = erasedAt(place, at)
    if untilMs and place >= from and place <= to then
      answer[#answer + 1] = {offset, untilMs - at, '', publishedAt}
    end
  end
end
return {current, newest, isWhole and 1 or 0, hasMore and 1 or 0, answer, epochs}`,
);

/** `kind` is that of a PurgeRange. Answers epoch, offset, and how many events were forgotten. */
export const PURGE = script(
  ["channel", "kind", "epoch", "offset", "to", "run"],
  `
${NOW}
${WHOLE}
${HEAD}
${KEPT}
local at = now()
local current, newest = headOf(channel, run, at, false)
if not current then return {'', 0, 0} end
if epoch ~= '' and epoch ~= current then return {current, newest, 0} end
local oldest = oldestOf(newest, at)
if kind == 'event' then
  local entry = redis.call('XRANGE', history, offset..'-1', offset..'-1')[1]
  if not entry then return {current, newest, 0} end
  local untilMs = tonumber(entry[2][2])
  if untilMs > at then
    redis.call('HSET', erased, offset, entry[2][2]..' '..(entry[2][6] or '0'))
    liveAtLeast(erased, untilMs - at)
  end
  redis.call('XDEL', history, entry[1])
  return {current, newest, untilMs > at and 1 or 0}
end
local upTo = newest
if kind == 'before' then upTo = math.max(0, math.min(newest, tonumber(offset) - 1))
elseif kind == 'older' then upTo = firstFrom(tonumber(to), oldest, newest) - 1 end
local count = redis.call('XLEN', history)
redis.call('XTRIM', history, 'MINID', '=', whole(upTo + 1))
for _, place in ipairs(redis.call('HKEYS', erased)) do
  if tonumber(place) <= upTo then redis.call('HDEL', erased, place) end
end
return {current, newest, count - redis.call('XLEN', history)}`,
);
