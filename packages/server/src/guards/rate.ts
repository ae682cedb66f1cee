/** How often and how many: connections of one address, API calls of one app. */

import type { App } from "../domain/app.ts";
import { CommandError, isEngineAway } from "../domain/error.ts";
import type { Awaitable, Clock, Engine, Guard } from "../domain/ports.ts";
import { andThen } from "../hub/awaitable.ts";
import { type TokenBucket, takeToken } from "../hub/token-bucket.ts";
import { type Address, type AddressTest, addressTest, parseAddress } from "./ip.ts";
import { Rates } from "./rates.ts";

export interface IpConnectionLimiterOptions {
  readonly connectionsPerIp: number;
  /** Per minute. */
  readonly connectionRatePerIp: number;
  readonly trustedProxies: readonly string[];
  readonly clock: Clock;
}

/** When an address that has all its connections should try again; nobody knows when one of them ends. */
const CROWDED_RETRY_S = 5;
/** What arithmetic may add to a whole number of seconds. */
const ROUNDING_S = 0.001;

/**
 * Counts the connections of each address. Where proxies are named, everybody but they themselves is counted; where
 * none is, a loopback or private address may be one with everybody behind it, and is not.
 */
export class IpConnectionLimiter {
  #options: IpConnectionLimiterOptions;
  #isExempt: AddressTest;
  readonly #inside = new Map<string, number>();
  readonly #rates: Rates;

  constructor(options: IpConnectionLimiterOptions) {
    this.#options = options;
    this.#rates = new Rates(options.clock);
    this.#isExempt = exemption(options);
  }

  /** Other limits from now on; `inside` are the addresses of those who are there, whom the old ones may not have counted. */
  adjust(options: IpConnectionLimiterOptions, inside: Iterable<string>): void {
    this.#options = options;
    this.#isExempt = exemption(options);
    this.#inside.clear();
    if (options.connectionsPerIp === Number.POSITIVE_INFINITY) return;
    for (const address of inside) {
      const key = this.#keyOf(address);
      if (key !== undefined) this.#inside.set(key, (this.#inside.get(key) ?? 0) + 1);
    }
  }

  /** How many entries it has in mind. */
  get size(): number {
    return this.#inside.size + this.#rates.size;
  }

  /** Undefined where the client may come in, and then has to `leave`; else the seconds after which it may try again. */
  acquire(address: string): number | undefined {
    const key = this.#keyOf(address);
    if (key === undefined) return undefined;
    const { connectionsPerIp, connectionRatePerIp: perMinute } = this.#options;
    const inside = this.#inside.get(key) ?? 0;
    if (inside >= connectionsPerIp) return CROWDED_RETRY_S;
    const waitS = perMinute === Number.POSITIVE_INFINITY ? undefined : this.#rates.take(key, perMinute);
    if (waitS !== undefined) return wholeSeconds(waitS);
    if (connectionsPerIp !== Number.POSITIVE_INFINITY) this.#inside.set(key, inside + 1);
    return undefined;
  }

  /** What an address is told that may not come in. */
  messageFor(address: string): string {
    const { connectionsPerIp, connectionRatePerIp } = this.#options;
    const isCrowded = (this.#inside.get(this.#keyOf(address) ?? "") ?? 0) >= connectionsPerIp;
    return isCrowded
      ? `Your address has ${connectionsPerIp} connections, which is as many as it may (limits.connectionsPerIp); try again later.`
      : `Your address opened more than ${connectionRatePerIp} connections in a minute (limits.connectionRatePerIp); try again later.`;
  }

  release(address: string): void {
    const key = this.#inside.size > 0 ? this.#keyOf(address) : undefined;
    if (key === undefined) return;
    const inside = this.#inside.get(key) ?? 0;
    if (inside > 1) this.#inside.set(key, inside - 1);
    else this.#inside.delete(key);
  }

  /** Forgets addresses whose minute is over: their buckets are full again. Call it every second or two. */
  sweep(): void {
    this.#rates.sweep();
  }

  /** Undefined for those who are not counted. */
  #keyOf(text: string): string | undefined {
    const { connectionsPerIp, connectionRatePerIp } = this.#options;
    if (connectionsPerIp === Number.POSITIVE_INFINITY && connectionRatePerIp === Number.POSITIVE_INFINITY) {
      return undefined;
    }
    const address = parseAddress(text);
    return address === undefined || this.#isExempt(address) ? undefined : networkOf(address);
  }
}

/** As `Retry-After` wants it. */
export function wholeSeconds(waitS: number): number {
  return Math.max(1, Math.ceil(waitS - ROUNDING_S));
}

function exemption({ trustedProxies }: IpConnectionLimiterOptions): AddressTest {
  return addressTest(trustedProxies.length > 0 ? trustedProxies : ["loopback", "private"]);
}

/** Of IPv6 the /64 network: whoever has one address has all of its. */
export function networkOf(address: Address): string {
  return address.kind() === "ipv4" ? address.toString() : address.toByteArray().slice(0, 8).join(".");
}

/** How long a call waits for the cluster to say whether there is room for it. */
const LEDGER_PATIENCE_MS = 500;

/**
 * Limits the signed API calls of each app in the whole cluster; calls that nobody signed are refused before, and cost the app
 * nothing. While the engine cannot count, each node holds the rate by itself: a publication may then wait for the engine.
 */
export function apiRateGuard(engine: Pick<Engine, "ledger" | "health">, clock: Clock): Guard {
  const alone = new Map<string, TokenBucket>();
  const spendAlone = ({ id }: App, rate: number): number => {
    const bucket = alone.get(id) ?? { tokens: rate, atMs: clock.monotonicMs() };
    alone.set(id, bucket);
    return takeToken(bucket, clock.monotonicMs(), rate) ?? 0;
  };
  return {
    apiCall(app) {
      const rate = app.limits.apiRequestsPerSecond;
      if (rate === Number.POSITIVE_INFINITY) return;
      const together = engine.health().reachable ? inTime(engine.ledger.takeToken(`api ${app.id}`, rate)) : undefined;
      return andThen(together, (counted) => {
        if (counted !== undefined) alone.delete(app.id);
        if ((counted ?? spendAlone(app, rate)) === 0) return;
        throw new CommandError("rate_limited", `More than ${rate} API calls in a second (apiRequestsPerSecond).`);
      });
    },
  };
}

/** What the ledger answers; undefined where it is away or does not answer soon. */
function inTime(asked: Awaitable<number>): Awaitable<number | undefined> {
  if (!(asked instanceof Promise)) return asked;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, LEDGER_PATIENCE_MS);
  return Promise.race([asked, promise])
    .catch((error: unknown) => {
      if (isEngineAway(error)) return undefined;
      throw error;
    })
    .finally(() => clearTimeout(timer));
}
