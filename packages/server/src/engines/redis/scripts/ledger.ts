/** What the cluster counts together, as scripts: quotas with their holders, token buckets, greatest numbers. */

import { DATASET, script } from "./script.ts";

/** `limit` is -1 where there is none. Answers ok, full or gone. */
export const ACQUIRE = script(
  ["incarnation", "quota", "holder", "limit", "lease"],
  `
${DATASET}
local data, isWriter = dataset(incarnation)
if not isWriter then return 'gone' end
local holders, nodeQuotas = data..'quota:'..quota, data..'node-quotas:'..incarnation
limit = tonumber(limit)
if redis.call('HEXISTS', holders, holder) == 0 and limit >= 0 and redis.call('HLEN', holders) >= limit then return 'full' end
redis.call('HSET', holders, holder, incarnation)
redis.call('PEXPIRE', holders, lease)
if redis.call('SADD', nodeQuotas, cjson.encode({quota, holder})) == 1 then redis.call('PEXPIRE', nodeQuotas, lease) end
return 'ok'`,
);

export const RELEASE = script(
  ["incarnation", "quota", "holder"],
  `
${DATASET}
local data = dataset('')
local holders = data..'quota:'..quota
if redis.call('HGET', holders, holder) == incarnation then redis.call('HDEL', holders, holder) end
return redis.call('SREM', data..'node-quotas:'..incarnation, cjson.encode({quota, holder}))`,
);

/** Answers in how many milliseconds there is a token. */
export const TAKE_TOKEN = script(
  ["name", "perSecond"],
  `
local bucket, rate = root..'tokens:'..name, tonumber(perSecond)
local time = redis.call('TIME')
local at = time[1] * 1000 + time[2] / 1000
local known = redis.call('HMGET', bucket, 'tokens', 'at')
local tokens = rate
if known[1] then tokens = math.min(rate, known[1] + math.max(0, at - known[2]) / 1000 * rate) end
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = (1 - tokens) / rate * 1000 end
redis.call('HSET', bucket, 'tokens', string.format('%.9f', tokens), 'at', string.format('%.3f', at))
redis.call('PEXPIRE', bucket, math.max(1000, math.ceil(1000 / rate)))
return string.format('%.6f', wait)`,
);

/** Keeps the greater number, and the longer time. */
export const SET_MAX = script(
  ["name", "number", "ttl"],
  `
local max = root..'max:'..name
local before = redis.call('GET', max)
if before and tonumber(before) > tonumber(number) then number = before end
redis.call('SET', max, number, 'PX', math.max(tonumber(ttl), redis.call('PTTL', max)))
return 1`,
);
