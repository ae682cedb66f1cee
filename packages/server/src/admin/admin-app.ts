/**
 * The dashboard's HTTP as one Hono app: its page, its API and the session. Everything is below one path; what the page asks for
 * is relative to it, so that it works behind any proxy. It is loaded at the first request: a server whose dashboard nobody opens
 * does without it.
 */

import { secureHeaders } from "hono/secure-headers";
import { Hono } from "hono/tiny";
import type { MiddlewareHandler } from "hono/types";
import { readBody } from "../http/body.ts";
import type { RequestUrl } from "../http/request-url.ts";
import { AdminError, methodUnknown, toAdminError } from "./admin-error.ts";
import { GUARD_HEADER, type Ticket } from "./api-types.ts";
import type { Services } from "./call.ts";
import { ROUTES } from "./routes.ts";
import { type Caller, hasRole, type Principal, type Sessions } from "./sessions.ts";
import type { SignIn } from "./sign-in.ts";

export interface AdminAppOptions {
  readonly services: Services;
  readonly sessions: Sessions;
  readonly signIn: SignIn;
  readonly assets: Assets;
  /** Something that should not have happened. */
  readonly failed: (error: unknown, during: string) => void;
}

/** One file of the page. */
export interface Asset {
  /** As in Content-Type. */
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Its name has a hash of its content in it, so it never becomes another. */
  readonly isImmutable: boolean;
}

/** By their names relative to the page; `index.html` is the page. May take a moment, where they are built first. */
export type Assets = () => Promise<ReadonlyMap<string, Asset>>;

/** `rest` is what comes after the dashboard's path: empty, or with a slash in front. */
interface Bindings {
  readonly url: RequestUrl;
  readonly rest: string;
  readonly caller: Caller;
}

type AdminEnv = { Bindings: Bindings; Variables: { principal: Principal } };
type Middleware = MiddlewareHandler<AdminEnv>;

/** Never rejects. */
export type AdminApp = (request: Request, bindings: Bindings) => Promise<Response>;

/** Most that one call may send: the largest event, and some. */
const MAX_BODY_BYTES = 1_048_576;

const SELF = ["'self'"];
const NONE = ["'none'"];

/** No script, style or anything else from another host, nothing inline, and in no frame. */
const SECURITY: Parameters<typeof secureHeaders>[0] = {
  contentSecurityPolicy: {
    ...{ defaultSrc: NONE, scriptSrc: SELF, styleSrc: SELF, imgSrc: [...SELF, "data:"], fontSrc: SELF },
    ...{ connectSrc: SELF, manifestSrc: SELF, baseUri: NONE, formAction: SELF, frameAncestors: NONE },
  },
  xFrameOptions: "DENY",
  // Whether the host is reached by TLS for ever is not the dashboard's to say.
  strictTransportSecurity: false,
};

export function createAdminApp(options: AdminAppOptions): AdminApp {
  const { sessions, failed } = options;
  const app = new Hono<AdminEnv>({ getPath: (_request, context) => context?.env?.rest ?? "" });
  app.use(secureHeaders(SECURITY), privately, withSlash);
  app.use("/api/*", sameOrigin);
  addSessionRoutes(app, options);
  app.use("/api/*", async (c, next) => {
    const principal = await sessions.principalOf(c.req.raw);
    if (!principal) throw new AdminError("signed_out", "Sign in first.");
    c.set("principal", principal);
    await next();
  });
  app.post("/api/ticket", (c) => {
    const ticket: Ticket = sessions.ticket(c.get("principal"));
    return Response.json(ticket);
  });
  app.all("/api/ticket", () => {
    throw methodUnknown(["POST"]);
  });
  app.all("/api/live", () => {
    throw new AdminError("input_invalid", "This is a WebSocket: open it with a ticket.");
  });
  addApiRoutes(app, options);
  addPage(app, options);
  app.onError((error, c) => {
    const known = toAdminError(error);
    if (known) return known.response;
    failed(error, `${c.req.method} ${c.env.url.pathname}`);
    return new AdminError("internal", "Something went wrong on the server; its log says what.").response;
  });
  return async (request, bindings) => app.fetch(request, bindings);
}

// ---- around every answer

const privately: Middleware = async (c, next) => {
  await next();
  c.res.headers.set("X-Robots-Tag", "noindex");
  if (!c.res.headers.has("cache-control")) c.res.headers.set("Cache-Control", "no-store");
};

/** Without the slash, relative addresses would begin one folder too high. */
const withSlash: Middleware = async (c, next) => {
  const { rest, url } = c.env;
  if (rest === "") return redirect(`./${url.pathname.slice(url.pathname.lastIndexOf("/") + 1)}/${url.search}`);
  return next();
};

/**
 * Only a page of the dashboard's own can send the header, and browsers say which page it was. Where the browser says that it is
 * the same origin, the Host header may be what a proxy made of it. Hono's own check looks at forms only, and knows no proxy.
 */
const sameOrigin: Middleware = (c, next) => {
  if (c.req.method === "GET") return next();
  const { headers } = c.req.raw;
  if (!headers.has(GUARD_HEADER)) throw new AdminError("foreign_page", `The header ${GUARD_HEADER} is missing.`);
  const site = headers.get("sec-fetch-site");
  const origin = headers.get("origin");
  if (site === "same-origin" || (site === null && (origin === null || isHere(origin, headers)))) return next();
  throw new AdminError("foreign_page", "The call comes from another site's page.");
};

function isHere(origin: string, headers: Headers): boolean {
  const host = URL.parse(origin)?.host;
  const here = [headers.get("host"), headers.get("x-forwarded-host")].map((name) => name?.toLowerCase());
  return host !== undefined && here.includes(host);
}

// ---- routes

function addSessionRoutes(app: Hono<AdminEnv>, { sessions, signIn }: AdminAppOptions): void {
  // The printed address: its key becomes a cookie, and leaves the address bar.
  app.get("/", async (c, next) => {
    const key = c.req.method === "GET" ? c.env.url.searchParams.get("key") : null;
    if (key === null) return next();
    const isIn = await sessions.principalOf(c.req.raw);
    const cookie = isIn ? undefined : await signIn.cookieFor(key, c.req.raw, c.env.caller);
    return redirect("./", cookie === undefined ? {} : { "Set-Cookie": cookie });
  });
  app.get("/api/session", async (c) => Response.json(signIn.describe(await sessions.principalOf(c.req.raw))));
  app.post("/api/session", async (c) => {
    const { principal, cookie } = await signIn.start(await readJson(c.req.raw), c.req.raw, c.env.caller);
    return Response.json(signIn.describe(principal), { headers: { "Set-Cookie": cookie } });
  });
  app.delete("/api/session", async (c) => {
    const cookie = await signIn.end(c.req.raw, c.env.caller);
    return Response.json(signIn.describe(undefined), { headers: { "Set-Cookie": cookie } });
  });
  app.all("/api/session", () => {
    throw methodUnknown(["GET", "POST", "DELETE"]);
  });
}

function addApiRoutes(app: Hono<AdminEnv>, { services }: AdminAppOptions): void {
  for (const { method, path, role, handle } of ROUTES) {
    app.on(method, `/api/${path}`, async (c) => {
      const principal = c.get("principal");
      if (!hasRole(principal, role)) {
        throw new AdminError("role_too_small", `This takes the role ${role}; you have ${principal.role}.`);
      }
      const body = method === "GET" ? undefined : await readJson(c.req.raw);
      const query = c.env.url.searchParams;
      return Response.json(await handle({ services, principal, params: c.req.param(), query, body }));
    });
  }
  for (const [path, routes] of Map.groupBy(ROUTES, (route) => route.path)) {
    app.all(`/api/${path}`, () => {
      throw methodUnknown(routes.map(({ method }) => method));
    });
  }
  app.all("/api/*", () => {
    throw new AdminError("not_found", "There is no such call.");
  });
}

function addPage(app: Hono<AdminEnv>, { assets, failed }: AdminAppOptions): void {
  app.get("/*", async (c) => {
    const files = await assets().catch((error) => {
      failed(error, "building the dashboard's page");
      throw new AdminError("not_available", "The dashboard's page is not there: build it with `npm run build`.");
    });
    const file = files.get(c.env.rest.slice(1) || "index.html");
    if (!file) throw new AdminError("not_found", "The dashboard has no such file.");
    return assetResponse(c.req.raw, file);
  });
  app.all("/*", () => {
    throw methodUnknown(["GET", "HEAD"]);
  });
}

/** Asks once, and again only after it failed. */
export function cachedAssets(assets: Assets): Assets {
  let files: ReturnType<Assets> | undefined;
  return () => {
    files ??= assets().catch((error) => {
      files = undefined;
      throw error;
    });
    return files;
  };
}

const compressed = new WeakMap<Asset, Uint8Array<ArrayBuffer>>();
/** Below that, it is not worth it. */
const MIN_COMPRESSED_BYTES = 1024;

/** Answers with the file, or says that the caller has it already. */
function assetResponse(request: Request, asset: Asset): Response {
  const { type, bytes, isImmutable } = asset;
  const etag = `"${Bun.hash(bytes).toString(36)}"`;
  const headers: Record<string, string> = {
    "Content-Type": type,
    "Cache-Control": isImmutable ? "public, max-age=31536000, immutable" : "no-cache",
    ETag: etag,
    Vary: "Accept-Encoding",
  };
  if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers });
  if (bytes.length < MIN_COMPRESSED_BYTES || !/\bgzip\b/.test(request.headers.get("accept-encoding") ?? "")) {
    return new Response(bytes, { headers });
  }
  const body = compressed.get(asset) ?? Bun.gzipSync(bytes, { level: 9 });
  compressed.set(asset, body);
  return new Response(body, { headers: { ...headers, "Content-Encoding": "gzip" } });
}

function redirect(location: string, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(null, { status: 302, headers: { Location: location, ...headers } });
}

/** Undefined where nothing was sent. Throws AdminError. */
async function readJson(request: Request): Promise<unknown> {
  const text = new TextDecoder().decode(await readBody(request, MAX_BODY_BYTES));
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new AdminError("input_invalid", "The body has to be JSON.");
  }
}
