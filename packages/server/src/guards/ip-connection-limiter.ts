/** How many connections one address has, and how often it opens one. */

import type { Clock } from "../domain/ports.ts";
import { type Address, type AddressTest, addressTest, parseAddress } from "./ip.ts";
import { KeyedRates } from "./keyed-rates.ts";

export interface IpConnectionLimiterOptions {
  readonly connectionsPerIp: number;
  /** Per minute. */
  readonly connectionRatePerIp: number;
  readonly trustedProxies: readonly string[];
  readonly clock: Clock;
}

/** When an address that has all its connections should try again: when one of them ends is unknown. */
const CROWDED_RETRY_S = 5;
/** HTTP sessions that are not there which an address may ask for, per second: their ids are not to be found by trying. */
const MISSES_PER_SECOND = 20;
/** What arithmetic may add to a whole number of seconds. */
const ROUNDING_S = 0.001;

/**
 * Counts the connections of each address. Where proxies are named, all but they themselves are counted; where none is, a loopback
 * or private address may be a proxy with every client behind it, and is not.
 */
export class IpConnectionLimiter {
  #options: IpConnectionLimiterOptions;
  #isExempt: AddressTest;
  readonly #connections = new Map<string, number>();
  readonly #rates: KeyedRates;
  readonly #misses: KeyedRates;

  constructor(options: IpConnectionLimiterOptions) {
    this.#options = options;
    this.#rates = new KeyedRates(options.clock);
    this.#misses = new KeyedRates(options.clock);
    this.#isExempt = exemption(options);
  }

  /** Other limits from now on; `addresses` are those of open connections, which the old limits may not have counted. */
  adjust(options: IpConnectionLimiterOptions, addresses: Iterable<string>): void {
    this.#options = options;
    this.#isExempt = exemption(options);
    this.#connections.clear();
    if (options.connectionsPerIp === Number.POSITIVE_INFINITY) return;
    for (const address of addresses) {
      const key = this.#keyOf(address);
      if (key !== undefined) this.#connections.set(key, (this.#connections.get(key) ?? 0) + 1);
    }
  }

  /** How many entries it remembers. */
  get size(): number {
    return this.#connections.size + this.#rates.size + this.#misses.size;
  }

  /** Undefined where the client may connect; it has to `release` then. Else the seconds after which it may try again. */
  acquire(address: string): number | undefined {
    const key = this.#keyOf(address);
    if (key === undefined) return undefined;
    const { connectionsPerIp, connectionRatePerIp: perMinute } = this.#options;
    const count = this.#connections.get(key) ?? 0;
    if (count >= connectionsPerIp) return CROWDED_RETRY_S;
    const waitS = perMinute === Number.POSITIVE_INFINITY ? undefined : this.#rates.take(key, perMinute);
    if (waitS !== undefined) return wholeSeconds(waitS);
    if (connectionsPerIp !== Number.POSITIVE_INFINITY) this.#connections.set(key, count + 1);
    return undefined;
  }

  /** Why the address may not connect. */
  messageFor(address: string): string {
    const { connectionsPerIp, connectionRatePerIp } = this.#options;
    const isCrowded = (this.#connections.get(this.#keyOf(address) ?? "") ?? 0) >= connectionsPerIp;
    return isCrowded
      ? `Your address has ${connectionsPerIp} connections, which is as many as it may (limits.connectionsPerIp); try again later.`
      : `Your address opened more than ${connectionRatePerIp} connections in a minute (limits.connectionRatePerIp); try again later.`;
  }

  release(address: string): void {
    const key = this.#connections.size > 0 ? this.#keyOf(address) : undefined;
    if (key === undefined) return;
    const count = this.#connections.get(key) ?? 0;
    if (count > 1) this.#connections.set(key, count - 1);
    else this.#connections.delete(key);
  }

  /** Forgets addresses whose minute is over: their buckets are full again. Call it every second or two. */
  sweep(): void {
    this.#rates.sweep();
    this.#misses.sweep();
  }

  /** It asked for an HTTP session that is not there. */
  noteMiss(address: string): void {
    const key = this.#networkOf(address);
    if (key !== undefined) this.#misses.take(key, 60 * MISSES_PER_SECOND, MISSES_PER_SECOND);
  }

  /** Whether it did so too often within the last second. */
  hasMissedTooOften(address: string): boolean {
    const key = this.#networkOf(address);
    return key !== undefined && this.#misses.isSpent(key, 60 * MISSES_PER_SECOND, MISSES_PER_SECOND);
  }

  /** Undefined for addresses that are not counted. */
  #keyOf(text: string): string | undefined {
    const { connectionsPerIp, connectionRatePerIp } = this.#options;
    if (connectionsPerIp === Number.POSITIVE_INFINITY && connectionRatePerIp === Number.POSITIVE_INFINITY) {
      return undefined;
    }
    return this.#networkOf(text);
  }

  #networkOf(text: string): string | undefined {
    const address = parseAddress(text);
    return address === undefined || this.#isExempt(address) ? undefined : networkOf(address);
  }
}

/** For `Retry-After`. */
export function wholeSeconds(waitS: number): number {
  return Math.max(1, Math.ceil(waitS - ROUNDING_S));
}

function exemption({ trustedProxies }: IpConnectionLimiterOptions): AddressTest {
  return addressTest(trustedProxies.length > 0 ? trustedProxies : ["loopback", "private"]);
}

/** Of IPv6 the /64 network: a client that has one of its addresses has all. */
export function networkOf(address: Address): string {
  return address.kind() === "ipv4" ? address.toString() : address.toByteArray().slice(0, 8).join(".");
}
