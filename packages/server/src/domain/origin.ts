/** Which webpages may connect: the patterns an app lists, and the Origin header that browsers send. RFC 6454. */

import type { App } from "./app.ts";

/** Whether a page of this Origin header may connect. */
export type OriginTest = (header: string) => boolean;

interface Origin {
  readonly scheme: string;
  readonly host: string;
  /** Undefined where the scheme has no default and none is said. */
  readonly port: number | undefined;
}

/** What is left out is not looked at. */
interface OriginPattern {
  readonly scheme?: string;
  readonly host: string;
  readonly isWildcard: boolean;
  readonly port?: number | undefined;
}

/** Origins without a host, which have to be listed word for word. */
const HOSTLESS: ReadonlySet<string> = new Set(["null", "file://"]);

/** As browsers write it: names of other scripts arrive as punycode, and nothing follows the port. */
const ORIGIN = /^([a-z][a-z0-9+.-]*):\/\/([\w.-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/;
const PATTERN = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(\*\.)?([^\s/?#@:*[\]\\,;"'|<>(){}]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/;

const HIGHEST_PORT = 65_535;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, ws: 80, https: 443, wss: 443 };

/** Whether the text is a pattern at all. */
export function isOriginPattern(text: string): boolean {
  return text === "*" || HOSTLESS.has(text.toLowerCase()) || patternOf(text) !== undefined;
}

/**
 * `https://a.example` is that origin; `a.example` that host, whatever the scheme and the port; `a.example:8080` that host
 * at that port; `*.a.example`, with or without scheme and port, every host below it; `null` and `file://` themselves; `*` all.
 */
export function originTest(patterns: readonly string[]): OriginTest {
  if (patterns.includes("*")) return () => true;
  const listed = new Set(patterns.map((text) => text.toLowerCase()));
  const parsed = patterns.flatMap((text) => patternOf(text) ?? []);
  return (header) => {
    const text = header.toLowerCase();
    if (HOSTLESS.has(text)) return listed.has(text);
    const origin = originOf(text);
    return origin !== undefined && parsed.some((pattern) => fits(pattern, origin));
  };
}

const tests = new WeakMap<App, OriginTest>();

/** Whether the app's list, which is read once, has the origin of this header on it. */
export function listsOrigin(app: App, header: string): boolean {
  const test = tests.get(app) ?? originTest(app.allowedOrigins);
  tests.set(app, test);
  return test(header);
}

function fits(pattern: OriginPattern, origin: Origin): boolean {
  if (pattern.scheme !== undefined && pattern.scheme !== origin.scheme) return false;
  if ("port" in pattern && pattern.port !== origin.port) return false;
  if (!pattern.isWildcard) return origin.host === pattern.host;
  return origin.host.length > pattern.host.length + 1 && origin.host.endsWith(`.${pattern.host}`);
}

function originOf(text: string): Origin | undefined {
  const [, scheme, host, port] = ORIGIN.exec(text) ?? [];
  if (scheme === undefined || host === undefined || Number(port ?? 0) > HIGHEST_PORT) return undefined;
  return { scheme, host, port: port === undefined ? DEFAULT_PORTS[scheme] : Number(port) };
}

function patternOf(text: string): OriginPattern | undefined {
  const [, scheme, wildcard, name, port] = PATTERN.exec(text.toLowerCase()) ?? [];
  const host = name === undefined ? undefined : URL.parse(`http://${name}`)?.hostname;
  if (host === undefined || host === "" || HOSTLESS.has(text.toLowerCase())) return undefined;
  if (Number(port ?? 0) > HIGHEST_PORT) return undefined;
  const isWildcard = wildcard !== undefined;
  if (scheme !== undefined) {
    return { scheme, host, isWildcard, port: port === undefined ? DEFAULT_PORTS[scheme] : Number(port) };
  }
  return port === undefined ? { host, isWildcard } : { host, isWildcard, port: Number(port) };
}
