/** Addresses and ranges of them: who may come to this server at all. */

import ipaddr from "ipaddr.js";

export type Address = ipaddr.IPv4 | ipaddr.IPv6;
export type AddressTest = (address: Address) => boolean;

/** What settings may say in place of ranges. */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1/128"],
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"],
};

/** The prefix of an IPv4 address that is written as an IPv6 one: ::ffff:0:0/96. */
const MAPPED_BITS = 96;

/**
 * Undefined where the text is no address. IPv4 in four decimal parts only: some read 010.0.0.1 as 8.0.0.1, others as
 * 10.0.0.1. An IPv4 address in the form of an IPv6 one is the IPv4 address.
 */
export function parseAddress(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (!text.includes(":")) return undefined;
  const [plain = ""] = text.split("%", 1);
  if (!ipaddr.IPv6.isValid(plain)) return undefined;
  const address = ipaddr.IPv6.parse(plain);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** Whether an address is in one of these: addresses, CIDR ranges, `loopback`, `private`. Parsed once. Throws on others. */
export function addressTest(texts: readonly string[]): AddressTest {
  const ranges = texts.flatMap((text) => NAMED[text] ?? [text]).map(parseRange);
  return (address) => ranges.some(([start, bits]) => start.kind() === address.kind() && address.match(start, bits));
}

/** The setting that keeps an address out, if one does. */
export type Barrier = (address: string) => "allowIps" | "denyIps" | undefined;

/** Undefined where there are no lists, so that nobody has to ask. Who is on both lists stays out. */
export function ipRules(allowed: readonly string[], denied: readonly string[]): Barrier | undefined {
  if (allowed.length === 0 && denied.length === 0) return undefined;
  const isAllowed: AddressTest = allowed.length === 0 ? () => true : addressTest(allowed);
  const isDenied = addressTest(denied);
  return (text) => {
    const address = parseAddress(text);
    if (address && isDenied(address)) return "denyIps";
    return address && isAllowed(address) ? undefined : "allowIps";
  };
}

/** What those are told whom the setting keeps out. */
export function barred(setting: string): string {
  return `Your address may not use this server (${setting}).`;
}

function parseRange(text: string): [Address, number] {
  if (!text.includes("/")) {
    const address = parseAddress(text);
    if (address === undefined) throw new Error(`${JSON.stringify(text)} is no IP address.`);
    return [address, address.kind() === "ipv4" ? 32 : 128];
  }
  const [address, bits] = ipaddr.parseCIDR(text);
  const isMapped = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= MAPPED_BITS;
  return isMapped ? [address.toIPv4Address(), bits - MAPPED_BITS] : [address, bits];
}

/** Whether an address is one of the open internet: not of this machine, its network, or a range with a purpose of its own. */
export function isPublic(text: string): boolean {
  return parseAddress(text)?.range() === "unicast";
}

/** Where clouds answer whoever asks from inside a machine, with its credentials among the answers. */
const METADATA = ["169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "fd20:ce::/32", "100.100.100.200/32"];

const isMetadata = addressTest(METADATA);

/** Any address but those of a cloud's metadata, which no back end has. */
export function isNoMetadata(text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && !isMetadata(address);
}
