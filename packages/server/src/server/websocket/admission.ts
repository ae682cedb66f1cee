/** Who knocks: which protocol, which app, and whether it may come in. Says no with the protocol's own farewell. */

import type { App } from "../../domain/app.ts";
import { Connection } from "../../domain/connection.ts";
import { CommandError, Disconnect } from "../../domain/error.ts";
import type { User } from "../../domain/message.ts";
import type { AppStore, Awaitable, Clock, Guard } from "../../domain/ports.ts";
import type { Protocol } from "../../domain/transport.ts";
import type { Caller } from "../http/caller.ts";

/** A client that is let in, with the user that a guard vouches for. */
export interface AdmittedClient {
  readonly connection: Connection;
  readonly user: User | undefined;
}

/** A client that has to be told why not. The protocols want it told over an open WebSocket. */
export interface RejectedClient {
  readonly protocol: Protocol;
  readonly address: string;
  readonly reason: Disconnect;
  /** Whose client it would have been, where that is an app of this server. */
  readonly app?: App;
}

export interface AdmissionOptions {
  readonly apps: AppStore;
  /** Key of the app that native clients mean when they name none. */
  readonly defaultKey: string;
  readonly guards: readonly Guard[];
  readonly pusher: Protocol;
  readonly native: Protocol;
  /** Those of the program, each at the path of its name. */
  readonly further: readonly Protocol[];
  readonly clock: Clock;
  readonly path: string;
  readonly strictProtocol: boolean;
  readonly newId: () => string;
  /** Has the app's limit count the client, in the whole cluster. Throws Disconnect where there is no place. */
  readonly acquireQuota: (connection: Connection) => Awaitable<void>;
  /** Told of what should not happen; the client only hears that something did. */
  readonly failed: (error: unknown) => void;
}

/** Pusher protocol, versions: below 4 nobody speaks any more, 7 is the newest. */
const OLDEST = 4;
const NEWEST = 7;
/** The first version whose clients answer pings. */
const FIRST_WITH_PINGS = 5;

const PUSHER_PATH = /\/app\/([^/]+)\/?$/;
const VERSION = /^v?\d[\w.+-]{0,63}$/;

/** Decides on a WebSocket handshake. Never throws. */
export async function admit(
  options: AdmissionOptions,
  request: Request,
  url: URL,
  caller: Caller,
): Promise<AdmittedClient | RejectedClient> {
  try {
    const admitted = await openConnection(options, request, url, caller);
    await options.acquireQuota(admitted.connection);
    return admitted;
  } catch (error) {
    const app = await appNamed(options, url).catch(() => undefined);
    return { ...rejectionFor(options, url, caller, error), ...(app && { app }) };
  }
}

async function appNamed(options: AdmissionOptions, url: URL): Promise<App | undefined> {
  return await options.apps.byKey(keyOf(options, url));
}

function keyOf({ defaultKey }: AdmissionOptions, url: URL): string {
  return PUSHER_PATH.exec(url.pathname)?.[1] ?? url.searchParams.get("app") ?? defaultKey;
}

function openConnection(
  options: AdmissionOptions,
  request: Request,
  url: URL,
  caller: Caller,
): Promise<AdmittedClient> {
  const key = PUSHER_PATH.exec(url.pathname)?.[1];
  const protocol = protocolAt(options, url);
  if (protocol !== options.pusher) return admitPlain(options, request, url, caller, protocol);
  if (key === undefined) throw new Disconnect("path_unknown", `There is no WebSocket at ${url.pathname}.`);
  return admitPusher(options, request, url, caller, key);
}

/** What the client is told, in its own protocol, where that was thrown at the door. */
export function rejectionFor(options: AdmissionOptions, url: URL, { address }: Caller, error: unknown): RejectedClient {
  const protocol = protocolAt(options, url);
  if (error instanceof Disconnect) return { protocol, address, reason: error };
  if (error instanceof CommandError)
    return { protocol, address, reason: new Disconnect("unauthorized", error.message) };
  options.failed(error);
  return { protocol, address, reason: new Disconnect("internal", "Something went wrong on the server.") };
}

function protocolAt({ native, pusher, further, path }: AdmissionOptions, url: URL): Protocol {
  if (PUSHER_PATH.test(url.pathname)) return pusher;
  if (isNativePath(url, path)) return native;
  return further.find(({ name }) => isPath(url, `${path}/${name}`)) ?? pusher;
}

async function admitPusher(
  options: AdmissionOptions,
  request: Request,
  url: URL,
  caller: Caller,
  key: string,
): Promise<AdmittedClient> {
  const version = versionOf(url, options.strictProtocol);
  const connection = await createConnection(options, caller, options.pusher, key);
  connection.answersPings = version >= FIRST_WITH_PINGS;
  await runGuards(options, request, connection);
  return { connection, user: undefined };
}

/** Of any protocol but Pusher's: the app is a parameter, and a token may come with the handshake. */
async function admitPlain(
  options: AdmissionOptions,
  request: Request,
  url: URL,
  caller: Caller,
  protocol: Protocol,
): Promise<AdmittedClient> {
  const key = url.searchParams.get("app") ?? options.defaultKey;
  const connection = await createConnection(options, caller, protocol, key);
  const user = await runGuards(options, request, connection);
  if (!user && !connection.app.anonymous) {
    throw new Disconnect(
      "unauthorized",
      "This app lets nobody in without a token (anonymous is off): connect with ?token=JWT.",
    );
  }
  return { connection, user };
}

async function createConnection(
  options: AdmissionOptions,
  { address, isEncrypted }: Caller,
  protocol: Protocol,
  key: string,
): Promise<Connection> {
  const app = await options.apps.byKey(key);
  if (!app) throw new Disconnect("app_unknown", `Could not find app by key ${key.slice(0, 64)}.`);
  if (!app.enabled) throw new Disconnect("app_disabled", "The app is disabled.");
  if (app.requireTls && !isEncrypted) {
    throw new Disconnect("tls_required", "The app accepts encrypted connections only (requireTls): use wss://.");
  }
  return new Connection(options.newId(), app, protocol, address, options.clock.monotonicMs());
}

/** Every guard may turn the client away; the first that knows the user is believed. */
async function runGuards(
  { guards }: AdmissionOptions,
  request: Request,
  connection: Connection,
): Promise<User | undefined> {
  let known: User | undefined;
  for (const guard of guards) {
    const user = await guard.connect?.(request, connection.app, connection.protocol);
    known ??= user;
  }
  return known;
}

function versionOf(url: URL, strict: boolean): number {
  const library = url.searchParams.get("version");
  if (library !== null && library !== "" && !VERSION.test(library)) {
    throw new Disconnect("version_malformed", "The version of the client library is not a version.");
  }
  const text = url.searchParams.get("protocol");
  if (text === null || text === "") {
    if (strict)
      throw new Disconnect("protocol_missing", "No protocol version: connect with ?protocol=7 (strictProtocol).");
    return NEWEST;
  }
  const version = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (version >= OLDEST && version <= NEWEST) return version;
  throw new Disconnect("protocol_unsupported", `Protocol versions ${OLDEST} to ${NEWEST} are supported.`);
}

function isNativePath(url: URL, prefix: string): boolean {
  return url.pathname === "/" || isPath(url, prefix);
}

function isPath({ pathname }: URL, path: string): boolean {
  return pathname === path || pathname === `${path}/`;
}
