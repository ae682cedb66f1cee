/** The app's back end as the hub and the guards ask it: hooks over HTTP, where the app has them. */

import type { App, HookSettings } from "../domain/app.ts";
import { matches } from "../domain/channel.ts";
import type { Connection } from "../domain/connection.ts";
import { CommandError, type CommandErrorCode, Disconnect } from "../domain/error.ts";
import { isForwardable } from "../domain/forwarded-headers.ts";
import { about, members } from "../domain/hook-body.ts";
import { memberText } from "../domain/json-text.ts";
import type { Command, EventPublication, User } from "../domain/message.ts";
import { listsOrigin } from "../domain/origin.ts";
import { payloadFrom, payloadJson } from "../domain/payload.ts";
import type { Grant, Permission } from "../hub/grants.ts";
import { checkEventData, checkEventName } from "../hub/limits.ts";
import type { BackEndAtDoor, Refreshed, TokenClaim } from "../hub/options.ts";
import { Admissions, type AdmissionsOptions, type KeptAdmission } from "./admissions.ts";
import { type Admission, type Answer, admissionIn, memberIn, type Question, Refusal } from "./answers.ts";
import { BackendDown, HookClient, type HookClientOptions, type HookClientSettings } from "./hook-client.ts";

type Subscribe = Extract<Command, { type: "subscribe" }>;

export interface BackendOptions extends HookClientOptions, Pick<AdmissionsOptions, "isRevoked"> {}

/** A client that was sent away comes back after so long, another for each. */
const COME_BACK_MS = { min: 2_000, max: 10_000 };
const DOWN = "The app's back end cannot be asked now; try again later.";
/** What is the client's own business with this server. */
const NOT_IN_QUERY = new Set(["token", "auth"]);

export class Backend implements BackEndAtDoor {
  readonly #options: BackendOptions;
  readonly #client: HookClient;
  readonly #admissions: Admissions;

  constructor(options: BackendOptions) {
    this.#options = options;
    this.#client = new HookClient(options);
    this.#admissions = new Admissions(options);
  }

  /** What a reload has changed. */
  set settings(settings: HookClientSettings) {
    this.#client.settings = settings;
  }

  close(): void {
    this.#client.close();
  }

  // ---- at the door

  prepare(request: Request, connection: Connection): void {
    const { app } = connection;
    if (app.hooks) connection.backend = { forwarded: forwardedHeaders(app, app.hooks, request.headers) };
  }

  /** The user of a token that an earlier welcome brought; undefined where it is not one of those. */
  async readReconnectToken(connection: Connection, token: string): Promise<User | undefined> {
    if (!Admissions.isSealed(token)) return undefined;
    const admission = await this.#admissions.open(connection.app, token);
    const user = enter(connection, admission);
    if (user && connection.backend) connection.backend.reconnectToken = token;
    return user;
  }

  async connect(request: Request, connection: Connection, claim: TokenClaim | undefined): Promise<User | undefined> {
    const { searchParams } = new URL(request.url, "http://localhost");
    const query = JSON.stringify(Object.fromEntries([...searchParams].filter(([name]) => !NOT_IN_QUERY.has(name))));
    if (!claim && connection.protocol.acceptsTokens && searchParams.get("auth") === "frame") {
      if (connection.backend) connection.backend.pendingQuestion = query;
      return undefined;
    }
    return this.#connect(connection, query, claim);
  }

  async connectByFrame(connection: Connection, claim: TokenClaim): Promise<User | undefined> {
    const query = connection.backend?.pendingQuestion ?? "{}";
    if (connection.backend) connection.backend.pendingQuestion = undefined;
    return this.#connect(connection, query, claim);
  }

  async #connect(connection: Connection, query: string, claim: TokenClaim | undefined): Promise<User | undefined> {
    const { app, address, protocol, backend } = connection;
    const token =
      claim &&
      (claim.user
        ? `{"claims":${claim.claims}}`
        : `{"error":${JSON.stringify(claim.refused)},"text":${JSON.stringify(claim.text)}}`);
    const body = `${about(connection, claim?.user)},${members({ query, token: token ?? "null" })}`;
    const same = JSON.stringify([address, protocol.name, backend?.forwarded, query, claim?.text]);
    let admission: KeptAdmission;
    try {
      admission = await this.#admissions.find(app, same, () => this.#askConnect(connection, body));
    } catch (error) {
      if (!(error instanceof BackendDown) || app.hooks?.connect?.whenDown !== "allow") throw this.#atDoor(error);
      return userOfClaim(claim);
    }
    const { expiresAtMs } = admission;
    const claimed = enter(connection, admission) ?? userOfClaim(claim);
    const user = claimed && expiresAtMs !== undefined ? { ...claimed, expiresAtMs } : claimed;
    if (user && admission.mayBeSealed && protocol.acceptsTokens && backend) {
      backend.reconnectToken = await this.#admissions.seal(app, { ...admission, user });
    }
    return user;
  }

  async #askConnect(connection: Connection, body: string): Promise<KeptAdmission> {
    const { said, text } = await this.#ask(connection, "connect", body);
    const { cache_s: cacheS = 0, token: mayBeSealed = false } = said;
    return {
      ...admissionIn(connection.app, said, text),
      answeredAtMs: this.#options.clock.wallMs(),
      cacheMs: cacheS * 1000,
      mayBeSealed,
    };
  }

  /** Undefined where the app has no such hook. */
  async authenticate(connection: Connection, credentials: object): Promise<User | false | undefined> {
    const { app } = connection;
    if (!app.hooks?.authenticate) return undefined;
    try {
      const body = `${about(connection)},"data":${JSON.stringify(credentials)}`;
      const { said, text } = await this.#ask(connection, "authenticate", body);
      return enter(connection, admissionIn(app, said, text)) ?? false;
    } catch (error) {
      throw this.#refused(connection, error, "unauthorized");
    }
  }

  // ---- afterwards

  async refresh(connection: Connection): Promise<Refreshed> {
    try {
      const { said, text } = await this.#ask(connection, "refresh", about(connection));
      const { user, expiresAtMs, meta } = admissionIn(connection.app, said, text);
      if (meta !== undefined && connection.backend) connection.backend.meta = meta;
      return { user, expiresAtMs };
    } catch (error) {
      if (!(error instanceof Refusal)) return "unknown";
      const { message, detail, close = "never" } = error;
      if (close === "never") throw new Disconnect("token_expired", message, undefined, detail);
      throw this.#disconnect(error, close, "terminated");
    }
  }

  /** By what the client may be in the channel. Undefined where the back end is not asked about that. */
  async authorize(connection: Connection, command: Subscribe, isProven: boolean): Promise<Permission | undefined> {
    const { app } = connection;
    const hook = app.hooks?.subscribe;
    if (!hook?.channels.some((pattern) => matches(pattern, command.channel))) return undefined;
    try {
      const { said, text } = await this.#ask(connection, "subscribe", aboutSubscribing(connection, command, isProven));
      const { member, expires_at: expiresAtS, publish } = said;
      return {
        ...(member && { member: memberIn(app, member.id, memberText(text, "member") ?? "") }),
        ...(expiresAtS !== undefined && { expiresAtMs: expiresAtS * 1000 }),
        ...(publish !== undefined && { publish }),
      };
    } catch (error) {
      if (error instanceof BackendDown && hook.whenDown === "allow") return {};
      throw this.#refused(connection, error, "unauthorized");
    }
  }

  /** Whether it lets the client watch the channel: only where it says so in a word of its own, and not while it is down. Undefined where it is not asked. */
  async authorizeWatching(connection: Connection, command: Subscribe): Promise<Grant | false | undefined> {
    const hook = connection.app.hooks?.subscribe;
    if (!hook?.channels.some((pattern) => matches(pattern, command.channel))) return undefined;
    try {
      const { said } = await this.#ask(connection, "subscribe", aboutSubscribing(connection, command, false));
      if (said.watch !== true) return false;
      return said.expires_at === undefined ? {} : { expiresAtMs: said.expires_at * 1000 };
    } catch (error) {
      throw this.#refused(connection, error, "unauthorized");
    }
  }

  /** What is published in its place; undefined where nothing is. */
  async moderate(connection: Connection, publication: EventPublication): Promise<EventPublication | undefined> {
    const hook = connection.app.hooks?.publish;
    const { channel, event, data } = publication;
    if (!hook?.channels.some((pattern) => matches(pattern, channel))) return publication;
    const body = `${about(connection)},${members({
      channel: JSON.stringify(channel),
      event: JSON.stringify(event),
      payload: payloadJson(data),
    })}`;
    try {
      return changed(connection.app, publication, await this.#ask(connection, "publish", body));
    } catch (error) {
      if (error instanceof BackendDown && hook.whenDown === "allow") return publication;
      throw this.#refused(connection, error, "publish_forbidden");
    }
  }

  /** Undefined where the app has no hook for that event. */
  handlerOf({ hooks }: App, event: string): ((connection: Connection, data: unknown) => Promise<unknown>) | undefined {
    if (!hooks?.call?.events.some((pattern) => matches(pattern, event))) return undefined;
    return async (connection, data) => {
      const body = `${about(connection)},"event":${JSON.stringify(event)},"data":${JSON.stringify(data ?? null)}`;
      try {
        return (await this.#ask(connection, "call", body)).said.result ?? null;
      } catch (error) {
        throw this.#refused(connection, error, "unauthorized");
      }
    };
  }

  // ---- private

  #ask<Q extends Question>(connection: Connection, hook: Q, body: string): Promise<Answer<Q>> {
    return this.#client.ask({ app: connection.app, hook, body, forwarded: connection.backend?.forwarded ?? {} });
  }

  /** The answer to a command. Before the client is welcome it is the end of its connection. */
  #refused(connection: Connection, error: unknown, code: CommandErrorCode): unknown {
    if (!connection.socket || connection.awaitsAuthentication) return this.#atDoor(error);
    if (error instanceof BackendDown) {
      return new CommandError("backend_unavailable", DOWN, { detail: error.message, retryAfterMs: this.#comeBackMs() });
    }
    if (!(error instanceof Refusal)) return error;
    if (error.close) return this.#disconnect(error, error.close, "terminated");
    const { message, ownCode, retryAfterMs, detail } = error;
    return new CommandError(error.code ?? code, message, {
      detail,
      ...(ownCode !== undefined && { ownCode }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }

  #atDoor(error: unknown): unknown {
    if (error instanceof BackendDown) {
      return new Disconnect("backend_unavailable", DOWN, this.#comeBackMs(), error.message);
    }
    if (!(error instanceof Refusal)) return error;
    if (error.code !== "rate_limited") return this.#disconnect(error, error.close ?? "never", "unauthorized");
    const afterMs = (error.retryAfterMs ?? 0) + this.#comeBackMs();
    return new Disconnect("backend_unavailable", error.message, afterMs, error.detail);
  }

  #disconnect({ message, detail }: Refusal, close: "never" | "later" | "now", never: "unauthorized" | "terminated") {
    if (close === "never") return new Disconnect(never, message, undefined, detail);
    const afterMs = close === "later" ? this.#comeBackMs() : undefined;
    return new Disconnect(close === "later" ? "reconnect_later" : "reconnect", message, afterMs, detail);
  }

  #comeBackMs(): number {
    const { min, max } = COME_BACK_MS;
    return Math.round(min + this.#options.random() * (max - min));
  }
}

/** The headers of the handshake that the back end is sent: the Origin always; a cookie only from a page that the app lists, or any page could act for a visitor who is signed in elsewhere. */
function forwardedHeaders(app: App, { forward }: HookSettings, headers: Headers): Record<string, string> {
  const origin = headers.get("origin");
  const found: Record<string, string> = origin === null ? {} : { Origin: origin };
  for (const name of forward) {
    const value = headers.get(name);
    if (value === null || !isForwardable(name)) continue;
    if (name.toLowerCase() === "cookie" && (origin === null || !isListed(app, origin))) continue;
    found[name] = value;
  }
  return found;
}

function isListed(app: App, origin: string): boolean {
  return app.allowedOrigins.length > 0 && !app.allowedOrigins.includes("*") && listsOrigin(app, origin);
}

/** The connection keeps what the back end said of it. */
function enter(connection: Connection, { user, meta, expiresAtMs }: Admission): User | undefined {
  if (connection.backend) {
    connection.backend.meta = meta;
    connection.backend.endsAtMs = expiresAtMs;
  }
  return user;
}

function userOfClaim(claim: TokenClaim | undefined): User | undefined {
  if (!claim || claim.user) return claim?.user;
  throw new Disconnect("token_invalid", `The token is refused: ${claim.refused}.`);
}

function changed(
  app: App,
  publication: EventPublication,
  { said, text }: Answer<"publish">,
): EventPublication | undefined {
  if (said.drop) return undefined;
  const { event = publication.event, payload } = said;
  const data = payload === undefined ? publication.data : payloadFrom(payload, memberText(text, "payload"));
  try {
    checkEventName(app, event);
    checkEventData(app, data);
  } catch (error) {
    throw error instanceof CommandError
      ? new Error(`The back end gave an event that cannot be: ${error.message}`)
      : error;
  }
  return { ...publication, event, data, ...(said.ephemeral && { ephemeral: true as const }) };
}

function aboutSubscribing(
  connection: Connection,
  { channel, proof, resume, watch }: Subscribe,
  isProven: boolean,
): string {
  return `${about(connection)},${members({
    channel: JSON.stringify(channel),
    proven: String(isProven),
    data: proof?.data === undefined ? "null" : payloadJson(proof.data),
    resume: resume === undefined ? "null" : JSON.stringify(resume),
    watch: watch ? "true" : undefined,
  })}`;
}
