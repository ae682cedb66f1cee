/** The page at the printed address: a board that tabs share, on the app that the server generated, or where clients of the configured apps connect. */

import type { App } from "../../domain/app.ts";
import type { RequestUrl } from "../../http/request-url.ts";
import { isEverywhere, networkAddresses } from "../system/machine.ts";
import { firstPage } from "./files.ts";
import { makeGuest, makeRobot, tokenFor } from "./guest.ts";

export interface DemoOptions {
  /** The generated app. No other is ever shown this way: the tokens let anyone in. */
  readonly app: App;
  /** The configured prefix of every path. */
  readonly path: string;
  /** Where the secret is to be found; the secret itself is not on the page. */
  readonly secretFile: string;
  /** What the server listens on. */
  readonly host: string;
  /** The dashboard's path; undefined where there is none. */
  readonly dashboard: string | undefined;
}

export interface StartOptions {
  /** The configured prefix of every path. */
  readonly path: string;
  /** The dashboard's path; undefined where there is none. */
  readonly dashboard: string | undefined;
}

type Place = "" | "/" | "/demo/token";
type PageRoute = (request: Request, url: RequestUrl) => Response | Promise<Response> | undefined;

/** Answers for the demo and its tokens, and leaves every other request to other routes. */
export function demoRoute({ app, path, secretFile, host, dashboard }: DemoOptions): PageRoute {
  // Asked each time: a laptop changes its network.
  const addresses = () => (isEverywhere(host) ? networkAddresses().join(" ") : "");
  const links = dashboard === undefined ? "" : linksTo(dashboard);
  const facts = () => ({ ...escapeAll({ appId: app.id, appKey: app.key, secretFile, addresses: addresses() }), links });
  let template: Promise<string> | undefined;
  return at(path, ["", "/", "/demo/token"], (request, url, place) => {
    if (place === "/demo/token") return issueToken(app, request, url.searchParams);
    template ??= firstPage("demo");
    return template.then((html) => show(fill(html, facts())));
  });
}

/** Answers for the page that says where clients connect, and leaves every other request to other routes. */
export function startRoute({ path, dashboard }: StartOptions): PageRoute {
  let template: Promise<string> | undefined;
  return at(path, ["", "/"], (_request, { href, pathname, protocol }) => {
    const { host } = new URL(href);
    const base = `${host}${pathname.slice(0, -1)}`;
    const addresses = { api: `${protocol}//${base}`, socket: `${protocol.replace("http", "ws")}//${base}` };
    const facts = { ...escapeAll(addresses), dashboard: dashboard === undefined ? "" : linkTo(dashboard) };
    template ??= firstPage("start");
    return template.then((html) => show(fill(html, facts)));
  });
}

function at(
  prefix: string,
  places: readonly Place[],
  answer: (request: Request, url: RequestUrl, place: Place) => Response | Promise<Response>,
): PageRoute {
  return (request, url) => {
    const place = places.find((one) => one === withoutPrefix(url.pathname, prefix));
    if (place === undefined) return undefined;
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
    }
    // Relative addresses on the page need the slash at the end of its own.
    if (place === "") return new Response(null, { status: 308, headers: { Location: `${prefix}/` } });
    return answer(request, url, place);
  };
}

/** Pages are served with the prefix and without it, as everything is. */
function withoutPrefix(pathname: string, prefix: string): string {
  const isPrefixed = prefix !== "" && (pathname === prefix || pathname.startsWith(`${prefix}/`));
  return isPrefixed ? pathname.slice(prefix.length) : pathname;
}

/** Without the key to it: this page is shown to anyone, not only to the person who started the server. */
function linkTo(dashboard: string): string {
  const link = `<a href=".${escapeHtml(dashboard)}/">dashboard</a>`;
  const connect = `<a href=".${escapeHtml(dashboard)}/#/connect">connects your app</a>`;
  const how = "<code>fanfare dashboard</code> prints its address with the key to it.";
  return `<p>The ${link} shows what happens, and ${connect} step by step. ${how}</p>`;
}

/** Without the key, as above: the dashboard asks for it. */
function linksTo(dashboard: string): string {
  const why = "It asks for the key: the terminal shows an address with it, behind Dashboard.";
  const to = (page: string, words: string) =>
    `<a class="button" href=".${escapeHtml(dashboard)}/${page}" title="${why}">${words}</a>`;
  return `${to("", "Dashboard")} ${to("#/connect", "Connect your app")}`;
}

function show(html: string): Response {
  const nonce = crypto.getRandomValues(new Uint8Array(18)).toBase64();
  return new Response(html.replaceAll('nonce=""', `nonce="${nonce}"`), {
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": policy(nonce),
      "Referrer-Policy": "no-referrer",
      "X-Content-Type-Options": "nosniff",
      "Cache-Control": "no-store",
    },
  });
}

function policy(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

/** Other sites cannot read the answer, because it allows no other origin; a browser that names another site is refused. */
async function issueToken(app: App, request: Request, query: URLSearchParams): Promise<Response> {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") {
    return Response.json(
      { error: "Tokens of the demo are for its own page only.", code: "forbidden" },
      { status: 403 },
    );
  }
  const user = query.has("robot") ? makeRobot() : makeGuest(query.get("name"));
  const body = { token: await tokenFor(app, user), user, key: app.key };
  return Response.json(body, { headers: { "Cache-Control": "no-store" } });
}

function fill(html: string, facts: Readonly<Record<string, string>>): string {
  return html.replaceAll(/\{\{(\w+)\}\}/g, (mark, name) => facts[name] ?? mark);
}

function escapeAll(facts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, escapeHtml(value)]));
}

function escapeHtml(value: string): string {
  return value.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
