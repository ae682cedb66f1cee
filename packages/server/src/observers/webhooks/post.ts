/** One request to a receiver: signed, bounded in time, never redirected, and never to an address inside the house. */

import { lookup as resolveName } from "node:dns";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";

/** Whether an address may be connected to. */
export type MayReach = (address: string) => boolean;

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  /** Undefined where every address may. */
  readonly mayReach: MayReach | undefined;
}

/** Resolves when the receiver said 2xx. Throws Error with a sentence that may be shown to whoever runs the app. */
export function post({ url, headers, body, timeoutMs, mayReach }: Post): Promise<void> {
  const target = URL.parse(url);
  if (target?.protocol !== "http:" && target?.protocol !== "https:") {
    return Promise.reject(new Error("The address is neither http:// nor https://."));
  }
  const host = target.hostname.replace(/^\[|\]$/g, "");
  // An address that is written out is connected to without being looked up.
  if (mayReach && isAddress(host) && !mayReach(host)) return Promise.reject(new Error(forbidden(host)));
  const send = target.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const late = () => reject(new Error(`The receiver did not answer within ${timeoutMs / 1000} s.`));
    signal.addEventListener("abort", late, { once: true });
    const request = send(target, {
      method: "POST",
      headers: { ...headers, "Content-Length": String(Buffer.byteLength(body)) },
      // A new connection each: one that a receiver closes while it is idle would fail the next request.
      agent: false,
      signal,
      ...(mayReach && { lookup: guarded(mayReach) }),
    });
    request.on("error", (error) =>
      reject(signal.aborted ? undefined : new Error(`The request failed: ${error.message}`)),
    );
    request.on("response", (response) => {
      // What it says is of no interest, and may be endless.
      response.destroy();
      const { statusCode = 0 } = response;
      if (statusCode >= 200 && statusCode < 300) return resolve();
      reject(new Error(`The receiver answered ${statusCode}.`));
    });
    request.end(body);
  });
}

/** Looks at what a name stands for at the moment it is connected to, so that it cannot be another one afterwards. */
function guarded(mayReach: MayReach): LookupFunction {
  return (hostname, options, callback) => {
    resolveName(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error || !first) return callback(error ?? new Error(`${hostname} has no address`), "", 0);
      const inside = addresses.find(({ address }) => !mayReach(address));
      if (inside) return callback(new Error(forbidden(inside.address)), "", 0);
      if (options.all) return callback(null, addresses);
      callback(null, first.address, first.family);
    });
  };
}

function forbidden(address: string): string {
  return `${address} is a private address; webhooks go there only where \`webhooks.allowPrivate\` is on.`;
}

function isAddress(host: string): boolean {
  return host.includes(":") || /^[\d.]+$/.test(host);
}
