/** Who is at the other end: the socket's peer, or the client that a trusted proxy says it speaks for. */

import { isUnixSocketPath } from "../../config/schema/fields.ts";
import type { Config } from "../../config/schema/schema.ts";
import { type Address, type AddressTest, addressTest, parseAddress } from "../../guards/ip.ts";
import type { RequestUrl } from "../../http/request-url.ts";
import type { HttpListener } from "./router.ts";

export interface Caller {
  readonly address: string;
  /** TLS, as far as the server can believe it. */
  readonly isEncrypted: boolean;
}

/** By the socket's address, or "unknown" where the socket is gone already. */
export type ResolveCaller = (request: Request, url: RequestUrl, listener: Pick<HttpListener, "requestIP">) => Caller;
type ByPeer = (request: Request, url: RequestUrl, peer: string | undefined) => Caller;

const MAPPED = "::ffff:";

/** A client of a Unix socket is on this machine, as a client of loopback is. */
export function callerResolver({ trustedProxies, host }: Pick<Config, "trustedProxies" | "host">): ResolveCaller {
  const identify = resolverBehindProxies(trustedProxies);
  if (isUnixSocketPath(host)) return (request, url) => identify(request, url, "127.0.0.1");
  return (request, url, listener) => identify(request, url, listener.requestIP(request)?.address);
}

function resolverBehindProxies(trustedProxies: readonly string[]): ByPeer {
  if (trustedProxies.length === 0) {
    // Whom to believe was not said. A client that lies about TLS only fools itself.
    return (request, url, peer) => ({
      address: withoutIpv6Mapping(peer),
      isEncrypted: isTls(url) || isForwardedAsTls(request),
    });
  }
  const isTrusted = addressTest(trustedProxies);
  return (request, url, peer) => {
    const near = parseAddress(peer ?? "");
    if (near === undefined || !isTrusted(near)) return { address: withoutIpv6Mapping(peer), isEncrypted: isTls(url) };
    const client = clientBehindProxies(request.headers.get("x-forwarded-for"), isTrusted);
    return { address: (client ?? near).toString(), isEncrypted: isTls(url) || isForwardedAsTls(request) };
  };
}

/**
 * Every proxy appends the address that connected to it, so the last untrusted one is the client; what comes before it is the
 * client's own claim. Undefined where a hop is no address; where all are trusted, the farthest.
 */
function clientBehindProxies(forwardedFor: string | null, isTrusted: AddressTest): Address | undefined {
  let farthest: Address | undefined;
  for (const hop of (forwardedFor ?? "").split(",").reverse()) {
    const address = parseHop(hop.trim());
    if (address === undefined) return undefined;
    if (!isTrusted(address)) return address;
    farthest = address;
  }
  return farthest;
}

/** Some proxies add the port. */
function parseHop(text: string): Address | undefined {
  const [, v6, v4] = /^(?:\[([^\]]+)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/.exec(text) ?? [];
  return parseAddress(v6 ?? v4 ?? text);
}

/** A server that listens on :: gets IPv4 addresses in the form of IPv6 ones. */
function withoutIpv6Mapping(peer = "unknown"): string {
  return peer.startsWith(MAPPED) && peer.includes(".") ? peer.slice(MAPPED.length) : peer;
}

function isTls({ protocol }: RequestUrl): boolean {
  return protocol === "https:" || protocol === "wss:";
}

function isForwardedAsTls(request: Request): boolean {
  const forwarded = request.headers.get("x-forwarded-proto")?.split(",")[0]?.trim().toLowerCase();
  return forwarded === "https" || forwarded === "wss";
}
