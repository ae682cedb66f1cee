/** Ready-made middleware: the rules of the server's own guards, for handshakes, messages and requests of the program's choice. */

import { CommandError, Disconnect } from "../../domain/error.ts";
import { isOriginPattern, originTest } from "../../domain/origin.ts";
import { addressTest, ipRules, parseAddress } from "../../guards/ip.ts";
import { networkOf, wholeSeconds } from "../../guards/ip-connection-limiter.ts";
import { KeyedRates } from "../../guards/keyed-rates.ts";
import { errorResponse } from "../../http/error-response.ts";
import { machineClock } from "../system/machine-clock.ts";
import type { Context, Middleware } from "./middleware.ts";

/**
 * Lets in the webpages of these origins, and who sends no Origin header unless `missing` is false. Spelled as in
 * `allowedOrigins`. Messages pass. Throws TypeError.
 */
export function allowOrigins(patterns: readonly string[], options: { readonly missing?: boolean } = {}): Middleware {
  const wrong = patterns.find((pattern) => !isOriginPattern(pattern));
  if (wrong !== undefined) throw new TypeError(`${JSON.stringify(wrong)} is no origin.`);
  const isAllowed = originTest(patterns);
  const { missing = true } = options;
  return (context, next) => {
    if (context.type === "message") return next();
    const origin = context.request.headers.get("origin");
    if (origin === null ? missing : isAllowed(origin)) return next();
    throw new Disconnect("unauthorized", "This origin may not come here.");
  };
}

/** Lets in these addresses, or all but those. Spelled as in `allowIps`. Messages pass. Throws what is no address. */
export function allowIps(rules: { readonly allow?: readonly string[]; readonly deny?: readonly string[] }): Middleware {
  const barrier = ipRules(rules.allow ?? [], rules.deny ?? []);
  return (context, next) => {
    if (context.type === "message" || !barrier?.(context.address)) return next();
    throw new Disconnect("unauthorized", "Your address may not come here.");
  };
}

export interface RateOptions {
  /** So many may come in one burst; they are there again after a minute. */
  readonly perMinute: number;
  /** The key to count by; undefined is not counted. Without it, addresses, an IPv6 /64 network as one. */
  readonly by?: (context: Context) => string | undefined;
  /** Addresses that are not counted. Without it loopback and private ones, which may be a proxy with all clients behind it. */
  readonly exempt?: readonly string[];
}

/** Limits how often each key may come: 429 with `Retry-After`, and for messages `rate_limited`. Throws RangeError. */
export function rateLimit({ perMinute, by, exempt = ["loopback", "private"] }: RateOptions): Middleware {
  if (!(perMinute > 0)) throw new RangeError("perMinute has to be more than 0.");
  const keyOf = by ?? byAddress(exempt);
  const rates = new KeyedRates(machineClock);
  return (context, next) => {
    const key = keyOf(context);
    rates.sweep();
    const waitS = key === undefined ? undefined : rates.take(key, perMinute);
    if (waitS === undefined) return next();
    const error = `More than ${perMinute} in a minute; try again later.`;
    if (context.type === "message") {
      throw new CommandError("rate_limited", error, { retryAfterMs: Math.ceil(waitS * 1000) });
    }
    return errorResponse(429, "rate_limited", error, { "Retry-After": String(wholeSeconds(waitS)) });
  };
}

function byAddress(exempt: readonly string[]): (context: Context) => string | undefined {
  const isExempt = addressTest(exempt);
  return (context) => {
    const { address: text } = context.type === "message" ? (context.connection ?? context.socket) : context;
    const address = parseAddress(text);
    return address === undefined || isExempt(address) ? undefined : networkOf(address);
  };
}
