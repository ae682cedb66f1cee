/** Decides on a handshake: which protocol, which app, and whether the client may connect. */

import type { App } from "../../domain/app.ts";
import { Connection, type Transport } from "../../domain/connection.ts";
import { CommandError, Disconnect } from "../../domain/error.ts";
import type { HubEvent } from "../../domain/hub-event.ts";
import type { User } from "../../domain/message.ts";
import type { AppStore, Awaitable, Clock, Guard } from "../../domain/ports.ts";
import type { Protocol } from "../../domain/transport.ts";
import { Query } from "../../http/query.ts";
import { pusherKeyIn, type RequestUrl } from "../../http/request-url.ts";
import { keepHeaders, sharedHeaders } from "../../observers/feed/shown-headers.ts";
import type { Caller } from "../http/caller.ts";

/** With the user that a guard authenticated. */
export interface AdmittedClient {
  readonly connection: Connection;
  readonly user: User | undefined;
}

/** The protocols send the reason over an open WebSocket. */
export interface RejectedClient {
  readonly protocol: Protocol;
  readonly address: string;
  readonly reason: Disconnect;
  /** The app it asked for, where this server has it. */
  readonly app?: App;
  /** What it is, where somebody would look at it. */
  readonly client?: Extract<HubEvent, { type: "rejected" }>["client"];
}

export interface AdmissionOptions {
  readonly apps: AppStore;
  /** Key of the app that native clients mean when they name none. */
  readonly defaultKey: string;
  readonly guards: readonly Guard[];
  readonly pusher: Protocol;
  /** The same for clients that ask for positions: `?recover=1`. */
  readonly recoveringPusher: Protocol;
  readonly native: Protocol;
  /** Those of the program, each at the path of its name. */
  readonly further: readonly Protocol[];
  readonly clock: Clock;
  readonly path: string;
  readonly strictProtocol: boolean;
  readonly newId: () => string;
  /** Counts the client for the app's limit, in the whole cluster. Throws Disconnect where the app is full. */
  readonly acquireQuota: (connection: Connection) => Awaitable<void>;
  /** Whether anybody would look at the headers of this handshake. */
  readonly wantsHeaders: () => boolean;
  /** Reports what should not happen: the client learns only that something did. */
  readonly failed: (error: unknown) => void;
}

/** Pusher protocol versions: no client speaks one below 4 any more, 7 is the newest. */
const OLDEST = 4;
const NEWEST = 7;
/** The first version whose clients answer pings. */
const FIRST_WITH_PINGS = 5;

const VERSION = /^v?\d[\w.+-]{0,63}$/;

export interface AdmissionRequest {
  readonly request: Request;
  readonly url: RequestUrl;
  readonly caller: Caller;
  /** Absent for a WebSocket. */
  readonly transport?: Transport;
}

/** An address, read once: each look into a URL makes a new text. */
interface Asked {
  readonly path: string;
  /** Of the app at a path of Pusher's; undefined at any other. */
  readonly pusherKey: string | undefined;
  readonly query: Query;
}

function read(url: RequestUrl): Asked {
  const path = url.pathname;
  return { path, pusherKey: pusherKeyIn(path), query: new Query(url) };
}

/**
 * Never throws or rejects. At once where nobody has to be waited for, which saves a handshake several promises. What has to wait does so
 * in functions of its own: a closure here would have a scope made for it even where nothing waits, see docs/decisions/0023.
 */
export function admit(options: AdmissionOptions, asked: AdmissionRequest): Awaitable<AdmittedClient | RejectedClient> {
  const address = read(asked.url);
  let app: App | undefined;
  try {
    const key = address.pusherKey ?? address.query.get("app") ?? options.defaultKey;
    const found = options.apps.byKey(key);
    if (found instanceof Promise) return admitLater(options, asked, address, key, found);
    app = found;
    const admitted = admitTo(options, asked, address, key, found);
    return admitted instanceof Promise ? unlessRejected(options, asked, address, found, admitted) : admitted;
  } catch (error) {
    return rejected(options, asked, address, app, error);
  }
}

async function admitLater(
  options: AdmissionOptions,
  asked: AdmissionRequest,
  address: Asked,
  key: string,
  finding: Promise<App | undefined>,
): Promise<AdmittedClient | RejectedClient> {
  let app: App | undefined;
  try {
    app = await finding;
    return await admitTo(options, asked, address, key, app);
  } catch (error) {
    return rejected(options, asked, address, app, error);
  }
}

async function unlessRejected(
  options: AdmissionOptions,
  asked: AdmissionRequest,
  address: Asked,
  app: App | undefined,
  admitted: Promise<AdmittedClient>,
): Promise<AdmittedClient | RejectedClient> {
  try {
    return await admitted;
  } catch (error) {
    return rejected(options, asked, address, app, error);
  }
}

function rejected(
  options: AdmissionOptions,
  { request, caller }: AdmissionRequest,
  address: Asked,
  app: App | undefined,
  error: unknown,
): RejectedClient {
  const client = { ...rejection(options, address, caller, error), ...(app && { app }) };
  if (!options.wantsHeaders()) return client;
  const shown: Client = { agent: undefined, library: undefined };
  describeClient(shown, request, address.query);
  return { ...client, client: { ...shown, headers: sharedHeaders(request.headers) } };
}

function admitTo(
  options: AdmissionOptions,
  { request, caller, transport }: AdmissionRequest,
  address: Asked,
  key: string,
  found: App | undefined,
): Awaitable<AdmittedClient> {
  const { query } = address;
  const protocol = protocolAt(options, address);
  const isPusher = protocol.name === options.pusher.name;
  const version = isPusher ? pusherVersionOf(address, options.strictProtocol) : undefined;
  const app = checkApp(found, key, caller);
  const connection = new Connection(options.newId(), app, protocol, caller.address, options.clock.monotonicMs());
  if (transport) connection.transport = transport;
  connection.isEncrypted = caller.isEncrypted;
  describeClient(connection, request, query);
  if (options.wantsHeaders()) keepHeaders(connection, request.headers);
  if (version !== undefined && version < FIRST_WITH_PINGS) connection.answersPings = false;
  const user = runGuards(options.guards, request, connection);
  return user instanceof Promise
    ? passLater(options, connection, query, version, user)
    : pass(options, connection, query, version, user);
}

async function passLater(
  options: AdmissionOptions,
  connection: Connection,
  query: Query,
  version: number | undefined,
  user: Promise<User | undefined>,
): Promise<AdmittedClient> {
  return pass(options, connection, query, version, await user);
}

/** The guards let it in, as this user if any of them knows it. */
function pass(
  options: AdmissionOptions,
  connection: Connection,
  query: Query,
  version: number | undefined,
  user: User | undefined,
): Awaitable<AdmittedClient> {
  if (!user && connection.protocol === options.native && query.get("auth") === "frame") {
    connection.awaitsAuthentication = true;
  }
  if (version === undefined && !connection.awaitsAuthentication) checkAnonymous(connection.app, user);
  // A Pusher client signs in by a command, unless its app's back end is asked.
  const admitted = { connection, user: version === undefined || connection.backend ? user : undefined };
  const counted = options.acquireQuota(connection);
  return counted instanceof Promise ? counted.then(() => admitted) : admitted;
}

/** The reason that the client gets for an error, in its own protocol. */
export function rejectionFor(
  options: AdmissionOptions,
  url: RequestUrl,
  caller: Caller,
  error: unknown,
): RejectedClient {
  return rejection(options, read(url), caller, error);
}

function rejection(options: AdmissionOptions, asked: Asked, { address }: Caller, error: unknown): RejectedClient {
  const protocol = protocolAt(options, asked);
  if (error instanceof Disconnect) return { protocol, address, reason: error };
  if (error instanceof CommandError) {
    return { protocol, address, reason: new Disconnect("unauthorized", error.message) };
  }
  options.failed(error);
  return { protocol, address, reason: new Disconnect("internal", "Something went wrong on the server.") };
}

/** Pusher's where there is none at the path: its clients have to be able to read why they are rejected. */
function protocolAt(
  { native, pusher, recoveringPusher, further, path: prefix }: AdmissionOptions,
  { path, pusherKey, query }: Asked,
): Protocol {
  if (pusherKey !== undefined) return query.get("recover") === "1" ? recoveringPusher : pusher;
  if (path === "/" || isPath(path, prefix)) return native;
  return further.find(({ name }) => isPath(path, `${prefix}/${name}`)) ?? pusher;
}

function checkApp(app: App | undefined, key: string, { isEncrypted }: Caller): App {
  if (!app) throw new Disconnect("app_unknown", `Could not find app by key ${key.slice(0, 64)}.`);
  if (!app.enabled) throw new Disconnect("app_disabled", "The app is disabled.");
  if (!app.requireTls || isEncrypted) return app;
  throw new Disconnect("tls_required", "The app accepts encrypted connections only (requireTls): use wss://.");
}

function checkAnonymous({ anonymous }: App, user: User | undefined): void {
  if (user || anonymous) return;
  const message = "This app requires a token (anonymous is off): connect with ?token=JWT.";
  throw new Disconnect("unauthorized", message);
}

/** Most clients are of a few kinds: each text is stored once. */
const known = new Map<string, string>();
const MOST_KNOWN = 500;
const LONGEST_TEXT = 256;

type Client = Pick<Connection, "agent" | "library">;

function describeClient(client: Client, { headers }: Request, query: Query): void {
  const agent = headers.get("user-agent");
  if (agent) client.agent = shared(agent);
  const library = query.get("client");
  if (library) client.library = shared(`pusher-${library} ${query.get("version") ?? ""}`.trim());
}

function shared(text: string): string {
  const short = text.slice(0, LONGEST_TEXT);
  const found = known.get(short);
  if (found !== undefined) return found;
  if (known.size === MOST_KNOWN) known.clear();
  known.set(short, short);
  return short;
}

/** Every guard may reject the client; the first that knows the user is believed. */
function runGuards(
  guards: readonly Guard[],
  request: Request,
  connection: Connection,
  from = 0,
  known?: User,
): Awaitable<User | undefined> {
  let user = known;
  for (let at = from; at < guards.length; at++) {
    const verdict = guards[at]?.connect?.(request, connection.app, connection.protocol, connection);
    if (verdict instanceof Promise) return runRest(guards, request, connection, at + 1, user, verdict);
    user ??= verdict;
  }
  return user;
}

async function runRest(
  guards: readonly Guard[],
  request: Request,
  connection: Connection,
  from: number,
  known: User | undefined,
  verdict: Promise<User | undefined>,
): Promise<User | undefined> {
  const found = await verdict;
  return runGuards(guards, request, connection, from, known ?? found);
}

function pusherVersionOf({ path, pusherKey, query }: Asked, strict: boolean): number {
  if (pusherKey === undefined) throw new Disconnect("path_unknown", `There is no WebSocket at ${path}.`);
  const library = query.get("version");
  if (library !== null && library !== "" && !VERSION.test(library)) {
    throw new Disconnect("version_malformed", "The version of the client library is not a version.");
  }
  const text = query.get("protocol");
  if (text === null || text === "") {
    if (strict)
      throw new Disconnect("protocol_missing", "No protocol version: connect with ?protocol=7 (strictProtocol).");
    return NEWEST;
  }
  const version = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (version >= OLDEST && version <= NEWEST) return version;
  throw new Disconnect("protocol_unsupported", `Protocol versions ${OLDEST} to ${NEWEST} are supported.`);
}

function isPath(pathname: string, path: string): boolean {
  return pathname.startsWith(path) && (pathname.length === path.length || pathname === `${path}/`);
}

/** Two for an id. The system is asked for many at a time: each question costs 2 µs. */
const numbers = new Uint32Array(512);
let next = numbers.length;

/** The id of a connection. Pusher protocol: two numbers and a dot. The first names the node; 48 random bits, so that none is made twice. */
export function newConnectionId(node: number): string {
  if (next === numbers.length) {
    crypto.getRandomValues(numbers);
    next = 0;
  }
  const high = numbers[next] ?? 0;
  const low = numbers[next + 1] ?? 0;
  next += 2;
  return `${node}.${high * 0x10000 + (low & 0xffff)}`;
}
