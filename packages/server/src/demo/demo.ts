/** What a newcomer sees at the printed address: a chat between tabs, on the app that the server made for itself. */

import type { App } from "../domain/app.ts";
import { makeGuest, tokenFor } from "./guest.ts";
import { loadPage, type Page } from "./page.ts";

export interface DemoOptions {
  /** The generated app. No other is ever shown this way: the tokens let anybody in. */
  readonly app: App;
  /** The configured prefix of every path. */
  readonly path: string;
  readonly secretFile: string;
}

/** Answers for the page and its tokens, and leaves every other request to others. */
export function demoRoute({
  app,
  path,
  secretFile,
}: DemoOptions): (request: Request, url: URL) => Response | Promise<Response> | undefined {
  const facts = { appId: app.id, appKey: app.key, secretFile };
  let page: Promise<Page> | undefined;
  return (request, { pathname, searchParams }) => {
    const place = placeOf(pathname, path);
    if (place === undefined) return undefined;
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
    }
    // Relative addresses on the page need the slash at the end of its own.
    if (place === "") return new Response(null, { status: 308, headers: { Location: `${path}/` } });
    if (place === "/demo/token") return issueToken(app, request, searchParams.get("name"));
    page ??= loadPage(facts);
    return page.then(showPage);
  };
}

/** The path without the prefix, if it is one of ours. Without the prefix they are served too, as everything is. */
export function placeOf(pathname: string, prefix: string): "" | "/" | "/demo/token" | undefined {
  const isPrefixed = prefix !== "" && (pathname === prefix || pathname.startsWith(`${prefix}/`));
  const place = isPrefixed ? pathname.slice(prefix.length) : pathname;
  return place === "" || place === "/" || place === "/demo/token" ? place : undefined;
}

export function showPage(page: Page): Response {
  const nonce = crypto.getRandomValues(new Uint8Array(18)).toBase64();
  return new Response(page(nonce), {
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

/** Other sites cannot read the answer, because it allows no other origin; a browser that says who asks is told at once. */
async function issueToken(app: App, request: Request, name: string | null): Promise<Response> {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") {
    const error = "Tokens of the demo are for its own page only.";
    return Response.json({ error, code: "forbidden" }, { status: 403 });
  }
  const user = makeGuest(name);
  const body = { token: await tokenFor(app, user), user, key: app.key };
  return Response.json(body, { headers: { "Cache-Control": "no-store" } });
}
