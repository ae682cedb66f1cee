/** The client: one connection, its channels, and who is signed in. */

import type { AnyDeclaration, Declaration } from "@fanfare/schema";
import { ChannelHandle } from "./channel.ts";
import { Connection } from "./connection.ts";
import { type Environment, realEnvironment } from "./environment.ts";
import { closedError, type FanfareError } from "./errors.ts";
import type { Frame } from "./frames.ts";
import { FEATURE } from "./frames.ts";
import { guarded, Listeners, unsubscriber } from "./listeners.ts";
import { type Settings, settingsOf } from "./options.ts";
import { KeptPositions } from "./positions.ts";
import { PublishQueue } from "./publish-queue.ts";
import { Session } from "./session.ts";
import type { Subscription } from "./subscription.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Tokens } from "./token.ts";
import type {
  CallOptions,
  ChannelEvent,
  ChannelOptions,
  Client,
  ClientOptions,
  ConnectionSnapshot,
  Gap,
  ListenerOptions,
  Meta,
  Unsubscribe,
  User,
  WatchlistChange,
} from "./types.ts";
import type { ReceivedCheck } from "./validation.ts";
import { abortedError, until, within } from "./waiting.ts";

/** Makes a client. It does nothing until something is wanted of it, so that it may also be made where pages are rendered on a server. */
export function createClient<D extends Declaration = AnyDeclaration>(options: ClientOptions<D>): Client<D> {
  return createClientIn(realEnvironment, options);
}

/** For tests: with a clock of their own. */
export function createClientIn<D extends Declaration = AnyDeclaration>(
  environment: Environment,
  options: ClientOptions<D>,
): Client<D> {
  return new FanfareClient(settingsOf(options as unknown as ClientOptions, environment)) as unknown as Client<D>;
}

class FanfareClient {
  readonly #settings: Settings;
  readonly subscribe: (onChange: () => void) => Unsubscribe;
  readonly #tokens: Tokens;
  readonly #connection: Connection;
  readonly #session: Session;
  readonly #subscriptions: Subscriptions;
  readonly #queue: PublishQueue;
  readonly #handles = new WeakMap<Subscription, ChannelHandle>();
  readonly #userEvents = new Listeners<[ChannelEvent]>();
  readonly #gaps = new Listeners<[Gap]>();
  readonly #watchlist = new Listeners<[WatchlistChange]>();
  #online: ReadonlySet<string> = new Set();
  /** The first list of a connection is the whole list. */
  #isWatchlistNew = true;
  #hadUserEvents = false;
  #isAcceptable: ReceivedCheck | undefined;

  constructor(settings: Settings) {
    const { options, environment } = settings;
    this.#settings = settings;
    this.#tokens = new Tokens(settings);
    this.#connection = new Connection(settings, this.#tokens, {
      prepare: () => this.#prepare(),
      ready: () => this.#ready(),
      lost: (tooLarge) => this.#lost(tooLarge),
      ended: (error, state) => this.#ended(error, state),
      frame: (name, frame) => this.#frame(name, frame),
      isResumable: () => this.#userEvents.isEmpty && this.#subscriptions.areResumable,
    });
    this.#session = new Session(settings, this.#tokens, this.#connection, () => this.#subscriptions.retryRefused());
    this.#queue = new PublishQueue(settings, this.#connection);
    const scope = () => `${options.app ?? ""}/${this.snapshot.user?.id ?? ""}/`;
    const positions = new KeptPositions(options.positions, environment, scope);
    this.#subscriptions = new Subscriptions(settings, this.#connection, positions, {
      held: () => this.#wanted(guarded),
      attached: () => this.#queue.pump(),
      refused: (subscription, error) => this.#queue.rejectAll(error, subscription),
      eventOf: (frame, replayed) => this.#eventOf(frame, replayed),
    });
    this.subscribe = this.#connection.store.subscribe;
  }

  get snapshot(): ConnectionSnapshot {
    return this.#connection.store.value;
  }

  get online(): ReadonlySet<string> {
    return this.#online;
  }

  // --- the connection ---

  /** That there is nothing to connect by is an uncaught error: a program that waits for events alone would end without a word. */
  connect(): void {
    this.#begin(guarded);
  }

  #begin(fail?: typeof guarded): void {
    if (this.#connection.isRunning) return;
    this.#connection.connect();
    if (this.#connection.isRunning) this.#subscriptions.begin();
    else
      fail?.(() => {
        throw this.snapshot.error;
      });
  }

  close(): void {
    this.#connection.close();
  }

  wake(): void {
    this.#connection.wake();
  }

  connected({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#wanted(undefined);
    return until(this, signal, () => {
      const { state, error } = this.snapshot;
      return state === "connected" || (state === "closed" && closedError()) || (state === "failed" && error);
    });
  }

  // --- channels ---

  channel(name: string, options?: ChannelOptions): ChannelHandle {
    const subscription = this.#subscriptions.get(name);
    const handle = this.#handles.get(subscription) ?? new ChannelHandle(subscription, this.#queue);
    this.#handles.set(subscription, handle);
    return options ? handle.withDefaults(options) : handle;
  }

  // --- the server's program ---

  async call(name: string, data: unknown, options: CallOptions = {}): Promise<unknown> {
    const { environment, timeouts } = this.#settings;
    const { timeoutMs = timeouts.replyMs, signal } = options;
    const startedAt = environment.now();
    if (this.snapshot.state !== "connected") {
      const connected = () => this.connected(signal && { signal });
      await within(environment, timeoutMs, "Connecting", signal, connected);
    }
    return new Promise((resolve, reject) => {
      const stop = unsubscriber(() => {
        if (signal?.aborted) reject(abortedError(signal));
      }, signal);
      const answered = this.#queue.spend();
      const done = (error: FanfareError | undefined, frame: Frame) => {
        stop();
        if (error) reject(error);
        else resolve(frame.data);
        answered();
      };
      this.#connection.request(name, data, "result", done, timeoutMs - (environment.now() - startedAt));
    });
  }

  async authenticate(credentials: Readonly<Record<string, unknown>>): Promise<User> {
    await this.connected();
    return await this.#session.signIn(credentials);
  }

  async signOut(): Promise<void> {
    this.#session.signOut();
    this.#subscriptions.signedOut();
    this.#queue.rejectAll(closedError("The user has signed out."));
    if (!this.#connection.isRunning) return;
    this.#connection.redial();
    await this.connected();
  }

  // --- events for the user ---

  onUser(event: string, listener: (data: never, meta: Meta) => void, options?: ListenerOptions): Unsubscribe {
    this.#wanted(guarded);
    const deliver = (it: ChannelEvent) => {
      if (it.event === event) listener(it.data as never, it.meta);
    };
    return this.#userEvents.add(deliver, options?.signal);
  }

  onUserGap(listener: (gap: Gap) => void, options?: ListenerOptions): Unsubscribe {
    return this.#gaps.add(listener, options?.signal);
  }

  onWatchlist(listener: (change: WatchlistChange) => void, options?: ListenerOptions): Unsubscribe {
    this.#wanted(guarded);
    return this.#watchlist.add(listener, options?.signal);
  }

  // --- what the parts tell ---

  /** Connects unless the application wants to say when. `closed` and `failed` are left only by `connect()`. */
  #wanted(fail: typeof guarded | undefined): void {
    if (this.snapshot.state === "idle" && this.#settings.options.connect !== "manual") this.#begin(fail);
  }

  /** Checking costs only those who want it: it is loaded when it is needed. */
  #prepare(): Promise<void> | undefined {
    const { options } = this.#settings;
    if (!options.events || (options.validate ?? "off") === "off" || this.#isAcceptable) return undefined;
    return import("./validation.ts").then(({ createReceivedCheck }) => {
      this.#isAcceptable = createReceivedCheck(options);
    });
  }

  #ready(): void {
    this.#isWatchlistNew = true;
    this.#queue.ready();
    this.#session.begin(() => {
      this.#subscriptions.attachAll(true);
      this.#queue.pump();
      if (this.#hadUserEvents) this.#gaps.emit({ reason: "no-history" });
      this.#hadUserEvents = true;
    });
  }

  #lost(tooLarge: boolean): void {
    this.#session.pause();
    this.#queue.lost(tooLarge);
    this.#subscriptions.lost();
  }

  #ended(error: FanfareError, state: "failed" | "closed"): void {
    this.#session.reset();
    this.#hadUserEvents = false;
    this.#queue.rejectAll(error);
    this.#subscriptions.ended(state);
  }

  #frame(name: string | undefined, frame: Frame): void {
    if (name === "expiring" && this.#connection.has(FEATURE.expiring)) return this.#session.endsIn(frame.data.afterMs);
    if (name === "watchlist") return this.#watched(frame.data);
    if (name === "error")
      return this.#settings.log("warn", "the server reports an error", { code: frame.code, reason: frame.message });
    if (frame.channel !== undefined) return this.#subscriptions.frame(name, frame);
    if (name === "gap") return this.#gaps.emit({ reason: "server" });
    const event = this.#eventOf(frame, false);
    if (event) this.#userEvents.emit(event);
  }

  #watched({ online, offline }: WatchlistChange): void {
    const before = this.#online;
    const now = new Set(this.#isWatchlistNew ? [] : before);
    this.#isWatchlistNew = false;
    for (const id of online) now.add(id);
    for (const id of offline) now.delete(id);
    this.#online = now;
    const change = {
      online: [...now].filter((id) => !before.has(id)),
      offline: [...before].filter((id) => !now.has(id)),
    };
    if (change.online.length + change.offline.length > 0) this.#watchlist.emit(change);
  }

  /** Of a bare object, which has no event, the object is the data. */
  #eventOf(frame: Frame, replayed: boolean): ChannelEvent | undefined {
    const { event, channel, user, position, pushed, ...rest } = frame;
    const { traceparent } = rest;
    const isNamed = typeof event === "string";
    const meta: Meta = {
      event: isNamed ? event : "",
      ...(channel !== undefined && { channel }),
      ...(typeof user === "string" && { user }),
      ...(position && { position }),
      ...(isNamed && traceparent && { traceparent }),
      replayed,
    };
    const data: unknown = isNamed ? frame.data : rest;
    if (this.#isAcceptable && !this.#isAcceptable(channel, meta.event, data)) return undefined;
    return { event: meta.event, data, meta } as ChannelEvent;
  }
}
