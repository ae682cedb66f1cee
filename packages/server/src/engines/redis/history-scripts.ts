/** Publishing, with history and without, and reading it, as scripts that Redis runs. How keys are made is said in `scripts.ts`. */

import { NOW, script } from "./script.ts";

/** Epochs of one numbering that are remembered. */
const MOST_EPOCHS = 16;

/**
 * Where the numbering of a place stands. Another life of the server begins another epoch, because what was said last in the
 * one before may not have been written down; the numbers go on, so that what is still kept has its place. Which epochs they
 * were, and where each ended, is written under `l`, the present one first: so a node finds its place again, and tells nothing
 * twice. Where that is not known, because the head is lost or a node of an older version began the epoch, the name is `-`.
 */
const HEAD = `
local function headOf(root, place, run, at, isNeeded)
  local head = root..'p:'..place
  local known = redis.call('HMGET', head, 'e', 'o', 'r', 'l')
  local epoch, offset, line = known[1], known[2], known[4]
  if epoch and string.match(line or '', '^%S+') ~= epoch then line = epoch..' 0 - '..offset end
  if epoch and known[3] == run or not isNeeded then return epoch, tonumber(offset or 0), known[3] == run, line end
  if not offset then
    local last = redis.call('XREVRANGE', root..'h:'..place, '+', '-', 'COUNT', 1)[1]
    offset = last and string.match(last[1], '^%d+') or '0'
    line = offset == '0' and '' or '- '..offset
  else
    line = epoch..' '..offset..string.match(line, '^%S+ %d+(.*)$')
  end
  epoch = string.sub(run, 1, 8)..string.format('%.0f', at)..redis.call('TIME')[2]
  local epochs = {epoch..' 0'}
  for name, last in string.gmatch(line, '(%S+) (%d+)') do
    if #epochs == ${MOST_EPOCHS} then name = '-' end
    epochs[#epochs + 1] = name..' '..last
    if name == '-' then break end
  end
  line = table.concat(epochs, ' ')
  redis.call('HSET', head, 'e', epoch, 'o', offset, 'r', run, 'l', line)
  return epoch, tonumber(offset), true, line
end
local function atLeast(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end`;

/** How long a numbering is remembered that nobody uses; those that somebody is subscribed to are used again before. */
export const HEAD_TTL_MS = 120_000;

/**
 * args: place, publication, size, time to live, how to publish, subject, sender, number, which life of the server it is, and perhaps
 * a key and how long it is remembered. Answers 0 where the key is known. A sender numbers what it says, so that what it says twice,
 * because no answer came, is kept and published once.
 */
export const PUBLISH_TO_HISTORY = script(`
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
if ARGV[10] and not redis.call('SET', root..'k:'..ARGV[10], '1', 'NX', 'PX', ARGV[11]) then return 0 end
offset = offset + 1
redis.call('HSET', head, 'o', offset, sender, string.format('%.0f %.0f', number, offset))
redis.call('XADD', history, 'MAXLEN', '=', ARGV[3], string.format('%.0f-1', offset), 'x', string.format('%.0f', at + ttl), 'd', ARGV[2])
atLeast(history, ttl)
atLeast(head, math.max(2 * ttl, ${HEAD_TTL_MS}))
redis.call(ARGV[5], ARGV[6], '{"position":["'..epoch..'",'..string.format('%.0f', offset)..'],'..string.sub(ARGV[2], 2))
return {epoch, offset}
`);

/**
 * args: key, how long it is remembered, publication, how to publish, subject, which publication of which sender it is, and "1" where it
 * is only to be said again, if it was said. Answers 0 where another one was published under the key. What is said again is heard by whoever
 * did not hear it, because it has its number.
 */
export const PUBLISH_ONCE = script(`
local key = KEYS[1]..'k:'..ARGV[1]
local by = redis.call('GET', key)
if by and by ~= ARGV[6] or not by and ARGV[7] == '1' then return 0 end
if not by then redis.call('SET', key, ARGV[6], 'PX', ARGV[2]) end
local told = redis.pcall(ARGV[4], ARGV[5], ARGV[3])
if type(told) ~= 'table' then return 1 end
if not by then redis.call('DEL', key) end
return told
`);

/** args: how to count subscribers, a subject. Answers how many of those who may write in the bucket do not listen to it. */
export const COUNT_NOT_LISTENING = script(`
local missing = -redis.call('PUBSUB', ARGV[1], ARGV[2])[2]
for _, isAlive in ipairs(redis.call('HVALS', KEYS[1]..'g')) do
  if isAlive == '1' then missing = missing + 1 end
end
return math.max(0, missing)
`);

/** args: places whose numbering goes on being used. */
export const TOUCH_HEADS = script(`
for _, place in ipairs(ARGV) do
  local head = KEYS[1]..'p:'..place
  if redis.call('PTTL', head) < ${HEAD_TTL_MS} then redis.call('PEXPIRE', head, ${HEAD_TTL_MS}) end
end
return 1
`);

/** args: place, epoch of a position or "", its offset, limit, whether it is to have an epoch in any case, which life of the server it is. Answers epoch, offset, completeness, offset, rest of life, publication of each, and the epochs before. */
export const HISTORY = script(`
local root, place, since, limit = KEYS[1], ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
${NOW}
${HEAD}
local history, at, asks = root..'h:'..place, now(), ARGV[2] ~= ''
local epoch, newest, isKnown, line = headOf(root, place, ARGV[6], at, ARGV[5] == '1')
if not epoch then return {'', 0, asks and 0 or 1, {}, ''} end
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
  return {epoch, newest, 1, answer, line}
end
if isKnown and ARGV[2] == epoch and since >= oldest and since <= newest then
  local answer, isWhole = live(redis.call('XRANGE', history, string.format('%.0f', since + 1), '+', 'COUNT', limit))
  if isWhole then return {epoch, newest, 1, answer, line} end
end
local answer = live(redis.call('XRANGE', history, '-', '+', 'COUNT', limit))
return {epoch, newest, 0, answer, line}
`);
