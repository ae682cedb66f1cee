/** What each of several workers counts for itself: the limits of one address. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { connectNative } from "../support/native-client.ts";
import { startWorkers } from "../support/workers.ts";

setDefaultTimeout(60_000);

const WORKERS = 2;
const MOST = 3;
/** So many that none of the workers is missed by chance. */
const TRIES = 60;

test.each(["connectionsPerIp", "connectionRatePerIp"] as const)(
  "of two workers, one address may have twice its %s, and no more",
  async (limit) => {
    const { url } = await startWorkers({ workers: WORKERS, trustedProxies: ["loopback"], limits: { [limit]: MOST } });
    const pids: unknown[] = [];
    for (let n = 0; n < TRIES; n++) {
      const client = await connectNative(url, { headers: { "x-forwarded-for": "203.0.113.9" } }).catch(() => undefined);
      const answer = await client?.ask("which", {});
      if (answer) pids.push(JSON.stringify(answer.data));
    }
    const each = [...new Set(pids)].map((pid) => pids.filter((one) => one === pid).length);
    expect(each).toHaveLength(WORKERS);
    for (const count of each) expect(count).toBeGreaterThanOrEqual(MOST);
    // Of a rate, a share of the minute may be over meanwhile.
    expect(Math.max(...each)).toBeLessThanOrEqual(limit === "connectionsPerIp" ? MOST : MOST + 2);
  },
);
