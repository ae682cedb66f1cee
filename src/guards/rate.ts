/** How often and how many: connections of one address, API calls of one app. */

import type { App } from "../domain/app.ts";
import { CommandError } from "../domain/error.ts";
import type { Clock, Guard } from "../domain/ports.ts";
import { type Bucket, take } from "../hub/bucket.ts";
import { type Address, type AddressTest, addressTest, parseAddress } from "./ip.ts";

export interface TurnstileOptions {
  readonly connectionsPerIp: number;
  /** Per minute. */
  readonly connectionRatePerIp: number;
  readonly trustedProxies: readonly string[];
  readonly clock: Clock;
}

/** When an address that has all its connections should try again; nobody knows when one of them ends. */
const CROWDED_RETRY_S = 5;
const MINUTE_MS = 60_000;
/** What arithmetic may add to a whole number of seconds. */
const ROUNDING_S = 0.001;
/** Most addresses in one generation of two; then the older one is forgotten before its time. About 15 MB in all. */
const GENERATION = 50_000;

/**
 * Counts the connections of each address. Where proxies are named, everybody but they themselves is counted; where
 * none is, a loopback or private address may be one with everybody behind it, and is not.
 */
export class Turnstile {
  #options: TurnstileOptions;
  #isExempt: AddressTest;
  readonly #inside = new Map<string, number>();
  /**
   * Those used since the last turn, and those used between the two last turns: by the next they are full, and forgotten all
   * at once. (Taking the oldest out of one map, one by one, costs a walk over all that were taken out before.)
   */
  #young = new Map<string, Bucket>();
  #old = new Map<string, Bucket>();
  #turnedAtMs: number;

  constructor(options: TurnstileOptions) {
    this.#options = options;
    this.#turnedAtMs = options.clock.monotonicMs();
    this.#isExempt = exemption(options);
  }

  /** Other limits from now on; `inside` are the addresses of those who are there, whom the old ones may not have counted. */
  adjust(options: TurnstileOptions, inside: Iterable<string>): void {
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
    return this.#inside.size + this.#young.size + this.#old.size;
  }

  /** Undefined where the client may come in, and then has to `leave`; else the seconds after which it may try again. */
  enter(address: string): number | undefined {
    const key = this.#keyOf(address);
    if (key === undefined) return undefined;
    const { connectionsPerIp } = this.#options;
    const inside = this.#inside.get(key) ?? 0;
    if (inside >= connectionsPerIp) return CROWDED_RETRY_S;
    const waitS = this.#take(key);
    if (waitS !== undefined) return Math.max(1, Math.ceil(waitS - ROUNDING_S));
    if (connectionsPerIp !== Number.POSITIVE_INFINITY) this.#inside.set(key, inside + 1);
    return undefined;
  }

  leave(address: string): void {
    const key = this.#inside.size > 0 ? this.#keyOf(address) : undefined;
    if (key === undefined) return;
    const inside = this.#inside.get(key) ?? 0;
    if (inside > 1) this.#inside.set(key, inside - 1);
    else this.#inside.delete(key);
  }

  /** Forgets addresses whose minute is over: their buckets are full again. Call it every second or two. */
  sweep(): void {
    if (this.#options.clock.monotonicMs() - this.#turnedAtMs >= MINUTE_MS) this.#turn();
  }

  #turn(): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#turnedAtMs = this.#options.clock.monotonicMs();
  }

  #take(key: string): number | undefined {
    const { connectionRatePerIp: perMinute, clock } = this.#options;
    if (perMinute === Number.POSITIVE_INFINITY) return undefined;
    const nowMs = clock.monotonicMs();
    const bucket = this.#young.get(key) ?? this.#old.get(key) ?? { tokens: perMinute, atMs: nowMs };
    this.#young.set(key, bucket);
    if (this.#young.size >= GENERATION) this.#turn();
    return take(bucket, nowMs, perMinute / 60, perMinute);
  }

  /** Undefined for those who are not counted. */
  #keyOf(text: string): string | undefined {
    const { connectionsPerIp, connectionRatePerIp } = this.#options;
    if (connectionsPerIp === Number.POSITIVE_INFINITY && connectionRatePerIp === Number.POSITIVE_INFINITY) {
      return undefined;
    }
    const address = parseAddress(text);
    return address === undefined || this.#isExempt(address) ? undefined : keyOf(address);
  }
}

function exemption({ trustedProxies }: TurnstileOptions): AddressTest {
  return addressTest(trustedProxies.length > 0 ? trustedProxies : ["loopback", "private"]);
}

/** Of IPv6 the /64 network: whoever has one address has all of its. */
function keyOf(address: Address): string {
  return address.kind() === "ipv4" ? address.toString() : address.toByteArray().slice(0, 8).join(".");
}

/** Limits the signed API calls of each app; calls that nobody signed are refused before, and cost the app nothing. */
export function apiRateGuard(clock: Clock): Guard {
  const buckets = new WeakMap<App, Bucket>();
  return {
    apiCall(app) {
      const rate = app.limits.apiRequestsPerSecond;
      if (rate === Number.POSITIVE_INFINITY) return;
      const nowMs = clock.monotonicMs();
      const bucket = buckets.get(app) ?? { tokens: rate, atMs: nowMs };
      buckets.set(app, bucket);
      if (take(bucket, nowMs, rate) === undefined) return;
      throw new CommandError("rate_limited", `More than ${rate} API calls in a second.`);
    },
  };
}
