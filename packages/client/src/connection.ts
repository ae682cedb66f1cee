/**
 * The connection: dials, reconnects and gives up. A line that is given up is forgotten at once; whatever its socket still does, late frames
 * or a close event that never comes, concerns nobody.
 */

import { type Addresses, createAddresses, withQuery } from "./addresses.ts";
import { after, type Cancel } from "./environment.ts";
import { closedError, FanfareError } from "./errors.ts";
import { bytesOf, errorOf, FEATURE, type Frame, parseFrame, protocolName, type Welcome } from "./frames.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Store } from "./listeners.ts";
import type { Settings } from "./options.ts";
import { type Answered, Requests } from "./requests.ts";
import type { Tokens } from "./token.ts";
import type { Transport, TransportSocket } from "./transport.ts";
import type { ConnectionSnapshot } from "./types.ts";
import { within } from "./waiting.ts";
import { webSocket } from "./web-socket.ts";

/** One attempt, and the connection that became of it. */
interface Line {
  readonly abort: AbortController;
  url: string;
  transport?: string;
  socket?: TransportSocket;
  cancelDial?: Cancel;
  /** The token goes in the first frame. */
  frameToken?: string | undefined;
}

/** What depends on the connection. Called when it is in order again, never in the middle of a change. */
export interface ConnectionUser {
  /** What has to be there before the first frame. */
  prepare(): Promise<void> | undefined;
  /** `welcome` has come. */
  ready(): void;
  /** It was lost; every open request is rejected after this. `tooLarge`: because of the size of a frame. */
  lost(tooLarge: boolean): void;
  /** It has failed or was closed, until `connect()`. */
  ended(error: FanfareError, state: "failed" | "closed"): void;
  frame(name: string | undefined, frame: Frame): void;
  /** Whether another connection would go on exactly where this one ends. */
  isResumable(): boolean;
}

type Changes = { readonly [Name in keyof ConnectionSnapshot]?: ConnectionSnapshot[Name] | undefined };
type Reconnect = "never" | "later" | "now";

/** Attempts are counted anew after a connection has stood for so long. */
const STOOD_MS = 5_000;
/** Clients of a server that restarts come back within this time, those in hidden tabs within the other. */
const SPREAD_MS = 1_000;
const HIDDEN_SPREAD_MS = 10_000;
const CLOSED_AS_TOO_LARGE = 1009;
const REMEMBERED_IDS = 8;
/** Another token may help. */
const RENEWABLE = new Set(["token_invalid", "token_expired", "terminated", "unauthorized", "authentication_timeout"]);

export class Connection {
  readonly store: Store<ConnectionSnapshot> = new Store<ConnectionSnapshot>({ state: "idle", attempt: 0, queued: 0 });
  welcome: Welcome | undefined;
  /** Ids of earlier connections, the newest last. */
  previousIds: readonly string[] = [];
  readonly #settings: Settings;
  readonly #tokens: Tokens;
  readonly #user: ConnectionUser;
  readonly #addresses: Addresses;
  readonly #heartbeat: Heartbeat;
  readonly #requests: Requests;
  readonly #transports: readonly Transport[];
  #transport = 0;
  #line: Line | undefined;
  #cancelRetry: Cancel | undefined;
  #unwatch: Cancel | undefined;
  #wasConnected = false;
  #isSuspended = false;
  #connectedAt = 0;
  /** Since the last connection that stood. */
  #attempts = 0;
  #rejections = 0;
  /** Whether the server takes a token in the first frame; undefined until one was asked. */
  #takesFrameToken: boolean | undefined;

  constructor(settings: Settings, tokens: Tokens, user: ConnectionUser) {
    const { options, environment } = settings;
    this.#settings = settings;
    this.#tokens = tokens;
    this.#user = user;
    this.#addresses = createAddresses(options.url, environment);
    this.#requests = new Requests(environment);
    const given = options.transports ?? [webSocket];
    this.#transports = given.filter((it) => it.isSupported(options.WebSocket));
    this.#transport = Math.max(
      0,
      this.#transports.findIndex((it) => it.worked?.()),
    );
    const dead = () => this.#lost(new FanfareError("timeout", "The server does not answer.", { retryable: true }));
    this.#heartbeat = new Heartbeat(settings, () => this.#ping(), dead);
  }

  get state(): ConnectionSnapshot["state"] {
    return this.store.value.state;
  }

  /** Between `connect()` and the end. */
  get isRunning(): boolean {
    return this.#unwatch !== undefined;
  }

  has(feature: string): boolean {
    return this.welcome?.features?.includes(feature) ?? false;
  }

  get serverNowMs(): number {
    return this.#settings.environment.now() + (this.#tokens.clockAheadMs ?? 0);
  }

  connect(): void {
    if (this.isRunning) return;
    const { environment } = this.#settings;
    if (this.#transports.length === 0) return this.#end("failed", unsupported());
    this.#attempts = 0;
    this.#rejections = 0;
    this.#wasConnected = false;
    this.#isSuspended = false;
    this.#unwatch = environment.watch((event) => {
      if (event === "suspend") this.#suspend();
      else if (event !== "offline" || this.welcome) this.wake();
    });
    void this.#dial();
  }

  close(): void {
    this.#end("closed", closedError());
  }

  wake(): void {
    if (this.welcome) this.#heartbeat.probe();
    else if (this.#cancelRetry || this.#isSuspended) void this.#dial();
  }

  /** Gives the connection up, and begins another at once, as another user for example. */
  redial(): void {
    if (!this.isRunning) return;
    this.#abandon(new FanfareError("connection_lost", "The client connects anew.", { maybeExecuted: true }));
    void this.#dial();
  }

  /** To be retried as after a loss, because of something that the server refused. */
  drop(error: FanfareError): void {
    this.#lost(error);
  }

  /** Ends for good; `connect()` begins again. */
  fail(error: FanfareError): void {
    this.#end("failed", error);
  }

  /** Nobody waits for the answer; without a connection nothing is sent. */
  send(event: string, data: unknown): void {
    if (this.welcome) this.#line?.socket?.send(JSON.stringify({ event, data }));
  }

  /** Sends it and waits for the answer. Without a connection, or if the frame is too large, it is answered at once by an error. */
  request(event: string, data: unknown, answer: string, done: Answered, timeoutMs?: number): void {
    this.requestText((id) => JSON.stringify({ event, id, data }), answer, done, timeoutMs);
  }

  requestText(textOf: (id: number) => string, answer: string, done: Answered, timeoutMs?: number): void {
    const { welcome } = this;
    if (!welcome) return done(new FanfareError("not_connected", "There is no connection.", { retryable: true }), {});
    const id = this.#requests.add(answer, done, timeoutMs);
    const text = textOf(id);
    const most = welcome.maxFrameBytes;
    // A character has at most three bytes.
    if (text.length * 3 > most && bytesOf(text) > most)
      this.#requests.settle({
        event: "error",
        id,
        code: "data_too_large",
        message: `The frame has more than ${most} bytes.`,
      });
    else this.#line?.socket?.send(text);
  }

  update(changes: Changes): void {
    const entries = Object.entries({ ...this.store.value, ...changes }).filter(([, value]) => value !== undefined);
    this.store.set(Object.fromEntries(entries) as unknown as ConnectionSnapshot);
  }

  #updateTrying(changes: Changes): void {
    this.update({ state: this.#wasConnected ? "reconnecting" : "connecting", ...changes });
  }

  // --- dialing ---

  async #dial(): Promise<void> {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#isSuspended = false;
    const { environment, timeouts } = this.#settings;
    const line: Line = { abort: new AbortController(), url: "" };
    const { signal } = line.abort;
    this.#line = line;
    this.#updateTrying({ retryAt: undefined });
    try {
      const choose = () => this.#addresses.choose(signal);
      line.url = await within(environment, timeouts.connectMs, "Finding the address", signal, choose);
      await this.#user.prepare();
      const token = signal.aborted ? undefined : await this.#tokens.get(signal);
      if (!signal.aborted) this.#open(line, token);
    } catch (error) {
      if (this.#line !== line) return;
      const known = error instanceof FanfareError ? error : addressError(error);
      if (known.retryable) this.#lost(known);
      else this.#end("failed", known);
    }
  }

  #open(line: Line, token: string | undefined): void {
    const { environment, timeouts, log, options } = this.#settings;
    const index = this.#transport % this.#transports.length;
    const transport = this.#transports[index] as Transport;
    line.transport = transport.name;
    if (this.#takesFrameToken !== false) line.frameToken = token;
    const inFrame = line.frameToken !== undefined;
    const query = { app: options.app, auth: inFrame ? "frame" : undefined, token: inFrame ? undefined : token };
    const late = () => {
      const message = `${transport.name}: the server did not answer within ${timeouts.connectMs} ms.`;
      this.#lost(new FanfareError("timeout", message, { retryable: true }));
    };
    line.cancelDial = after(environment, timeouts.connectMs, late);
    const isCurrent = () => this.#line === line;
    log("debug", "connecting", { url: line.url, transport: transport.name, attempt: this.#attempts });
    line.socket = transport.open({
      url: withQuery(line.url, query),
      WebSocket: options.WebSocket,
      better: this.#transports.slice(0, index),
      onOpen: () => {
        if (isCurrent() && line.frameToken !== undefined)
          line.socket?.send(JSON.stringify({ event: "authenticate", data: { token: line.frameToken } }));
      },
      onFrame: (text) => {
        if (isCurrent()) this.#receive(line, text);
      },
      onClose: (code, reason) => {
        if (isCurrent()) this.#closed(code, reason);
      },
      onBetter: () => {
        if (!isCurrent()) return;
        this.#transport = 0;
        if (this.#requests.isEmpty && this.#user.isResumable()) this.redial();
      },
    });
  }

  // --- what comes ---

  #receive(line: Line, text: string): void {
    this.#heartbeat.heard();
    const frame = parseFrame(text);
    if (!frame) return this.#settings.log("warn", "a frame that is not JSON");
    const name = protocolName(frame);
    if (name === "closing") return this.#closing(line, frame);
    // A second one means nothing.
    if (name === "welcome") return this.welcome ? undefined : this.#welcomed(line, frame.data);
    if (this.welcome && !this.#requests.settle(frame)) this.#user.frame(name, frame);
  }

  #welcomed(line: Line, welcome: Welcome): void {
    if (line.frameToken !== undefined) {
      this.#takesFrameToken = welcome.features?.includes(FEATURE.authFrame) ?? false;
      // It has welcomed somebody without a name.
      if (!this.#takesFrameToken) return this.redial();
    }
    line.cancelDial?.();
    const { environment, log } = this.#settings;
    this.welcome = welcome;
    this.#wasConnected = true;
    this.#connectedAt = environment.now();
    this.#heartbeat.start(welcome.activityTimeoutS);
    if (welcome.serverTimeMs !== undefined) this.#tokens.clockAheadMs = welcome.serverTimeMs - environment.now();
    log("info", "connected", { id: welcome.id });
    const { id, user } = welcome;
    const { url, transport } = line;
    this.update({ state: "connected", id, user, url, transport, attempt: 0, error: undefined });
    this.#tokens.reconnect = welcome.reconnectToken;
    this.#user.ready();
  }

  /** The server says why, before it closes. */
  #closing(line: Line, frame: Frame): void {
    const isOldServer = line.frameToken !== undefined && this.#takesFrameToken === undefined && !this.welcome;
    if (isOldServer && frame.code === "unauthorized") {
      this.#takesFrameToken = false;
      return this.redial();
    }
    if (this.#tokens.reconnect && frame.reconnect === "never") {
      this.#tokens.reconnect = undefined;
      // Whether the user may still come is for the token or the back end to say.
      if (!this.welcome) return this.redial();
    }
    this.#lost(errorOf(frame), frame.reconnect ?? "later", frame.afterMs);
  }

  #closed(code: number, reason: string): void {
    const known = code === CLOSED_AS_TOO_LARGE ? "data_too_large" : code === 4009 ? "unauthorized" : "connection_lost";
    const reconnect = code < 4000 || code > 4299 ? "later" : code < 4100 ? "never" : code < 4200 ? "later" : "now";
    const message = `The connection ended with ${code}${reason && `: ${reason}`}.`;
    this.#lost(new FanfareError(known, message, { retryable: reconnect !== "never" }), reconnect, undefined, code);
  }

  // --- what ends ---

  #lost(error: FanfareError, reconnect: Reconnect = "later", afterMs?: number, code?: number): void {
    if (!this.#line) return;
    const { environment, backoffMs, log } = this.#settings;
    const wasWelcome = this.welcome !== undefined;
    if (wasWelcome && environment.now() - this.#connectedAt >= STOOD_MS) {
      this.#attempts = 0;
      this.#rejections = 0;
    }
    const isTokenAtFault = reconnect === "never" && RENEWABLE.has(error.code) && this.#tokens.canRenew;
    if (reconnect === "never" && !(isTokenAtFault && ++this.#rejections < 2)) return this.#end("failed", error);
    if (isTokenAtFault) this.#tokens.reject();
    this.#addresses.avoid(this.#line.url);
    log("info", "disconnected", { code: error.code, reason: error.message, reconnect });
    this.#abandon(error, code === CLOSED_AS_TOO_LARGE);
    if (!wasWelcome) this.#transport++;
    const canTryAnother = !wasWelcome && this.#transport % this.#transports.length !== 0;
    const isFirst = reconnect === "now" && this.#attempts === 0;
    const spreadMs = () => afterMs ?? environment.random() * SPREAD_MS;
    const hiddenMs = () => (environment.isHidden() ? environment.random() * HIDDEN_SPREAD_MS : 0);
    const pauseMs = canTryAnother ? 0 : isFirst ? spreadMs() + hiddenMs() : backoffMs(this.#attempts);
    if (!canTryAnother) this.#attempts++;
    this.#cancelRetry = after(environment, pauseMs, () => void this.#dial());
    this.#updateTrying({ attempt: this.#attempts, retryAt: environment.now() + pauseMs, error });
  }

  /** The page goes into the back/forward cache, which open sockets may keep it out of. */
  #suspend(): void {
    this.#abandon(new FanfareError("connection_lost", "The page was suspended.", { maybeExecuted: true }));
    this.#isSuspended = true;
    this.#updateTrying({ retryAt: undefined });
  }

  #end(state: "failed" | "closed", error: FanfareError): void {
    this.#abandon(error);
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#isSuspended = false;
    if (state === "closed") this.previousIds = [];
    const isFailure = state === "failed";
    if (isFailure) this.#settings.log("error", "failed", { code: error.code, reason: error.message });
    this.update({ state, attempt: 0, retryAt: undefined, error: isFailure ? error : undefined, rttMs: undefined });
    this.#user.ended(error, state);
  }

  /** Of what was there nothing is left: no socket, no timer, no open request. */
  #abandon(error: FanfareError, tooLarge = false): void {
    const line = this.#line;
    const { welcome } = this;
    this.#line = undefined;
    this.welcome = undefined;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#heartbeat.stop();
    line?.cancelDial?.();
    line?.abort.abort();
    line?.socket?.close(1000);
    if (!welcome) return;
    this.previousIds = [...this.previousIds, welcome.id].slice(-REMEMBERED_IDS);
    this.update({ id: undefined, user: undefined, url: undefined, transport: undefined });
    this.#user.lost(tooLarge);
    this.#requests.rejectAll(lostError(error));
  }

  #ping(): void {
    const { environment } = this.#settings;
    const sentAt = environment.now();
    this.request("ping", undefined, "pong", (error) => {
      if (!error) this.update({ rttMs: environment.now() - sentAt });
    });
  }
}

function lostError(error: FanfareError): FanfareError {
  if (error.code === "closed") return error;
  const message = "The connection was lost before the answer came.";
  return new FanfareError("connection_lost", message, { retryable: true, maybeExecuted: true, cause: error });
}

function unsupported(): FanfareError {
  const message = "There is no WebSocket here. In Node 20: npm install ws, and createClient({ url, WebSocket }).";
  return new FanfareError("unsupported", message);
}

function addressError(cause: unknown): FanfareError {
  return new FanfareError("connection_lost", `There is no connection: ${cause}`, { cause, retryable: true });
}
