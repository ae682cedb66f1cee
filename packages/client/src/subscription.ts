/** One channel of the client: who holds it, whether it is subscribed, and how far it has been heard. */

import { after, type Cancel } from "./environment.ts";
import type { FanfareError } from "./errors.ts";
import { errorOf, type Frame } from "./frames.ts";
import { isPast, readKept, readSince } from "./history.ts";
import { deliverTo, endPast, type Holder } from "./holder.ts";
import { guarded, Listeners, Store } from "./listeners.ts";
import { askPermission, memberId } from "./permission.ts";
import { Presence, type PresenceChange } from "./presence.ts";
import { RecentEvents } from "./recent-events.ts";
import { type Resume, resumeOf } from "./resume.ts";
import type { SubscriptionOwner } from "./subscription-owner.ts";
import type { Authorization, ChannelSnapshot, Gap, Member, Position } from "./types.ts";

export class Subscription {
  readonly name: string;
  readonly store = new Store<ChannelSnapshot>({ state: "detached" });
  readonly presence = new Presence();
  readonly gaps = new Listeners<[Gap]>();
  readonly joins = new Listeners<[Member]>();
  readonly leaves = new Listeners<[Member]>();
  readonly updates = new Listeners<[Member]>();
  readonly removals = new Listeners<[FanfareError]>();
  /** The application has given it options of its own. */
  isConfigured = false;
  /** It is to see the members without being one. */
  isWatching = false;
  /** Of the last frame that was heard. */
  position: Position | undefined;
  readonly recent: RecentEvents;
  readonly owner: SubscriptionOwner;
  readonly #holders = new Set<Holder>();
  /** An attempt is over when another has begun. */
  #attempt = 0;
  #failures = 0;
  /** The server has the command, or will. */
  #isSent = false;
  #wasAttached = false;
  #isReplaying = false;
  /** The back end took the client out: until the application says otherwise, it stays out. */
  #removal: FanfareError | undefined;
  /** It needs permission, although its name does not say so. */
  #needsPermission = false;
  #cancelLinger: Cancel | undefined;
  #cancelRetry: Cancel | undefined;

  constructor(name: string, owner: SubscriptionOwner) {
    this.name = name;
    this.owner = owner;
    this.recent = new RecentEvents(owner.settings.environment, () => this.store.notify());
  }

  get state(): ChannelSnapshot["state"] {
    return this.store.value.state;
  }

  // --- holders ---

  get isHeld(): boolean {
    return this.#holders.size > 0;
  }

  /** Somebody needs it to be there, if only to be notified. Else it may be forgotten. */
  get isInUse(): boolean {
    const { store, gaps, removals } = this;
    return (
      this.isHeld || this.state !== "detached" || this.isConfigured || [store, gaps, removals].some((it) => !it.isEmpty)
    );
  }

  used(): this {
    this.owner.use(this);
    return this;
  }

  /** Returns what ends it. */
  hold(holder: Holder): () => void {
    this.used();
    this.#holders.add(holder);
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    if (this.state === "attached") this.#catchUp(holder);
    else if (this.state !== "attaching") this.attach();
    this.owner.user.held();
    return () => this.#release(holder);
  }

  #release(holder: Holder): void {
    if (!this.#holders.delete(holder) || this.#holders.size > 0) return;
    const { settings } = this.owner;
    this.#cancelLinger?.();
    this.#cancelLinger = after(settings.environment, settings.lingerMs, () => this.#leave());
  }

  #leave(): void {
    if (this.#isSent) this.owner.connection.send("unsubscribe", { channel: this.name });
    this.detach();
  }

  // --- attaching ---

  /** Begins anew, now or once there is a connection. */
  attach(): void {
    const removal = this.#holders.size > 0 && this.#removal;
    if (removal) {
      this.store.set({ state: "refused", error: removal });
      // Later, since a message that begins to hold does not wait yet.
      return queueMicrotask(() => this.owner.user.refused(this, removal));
    }
    this.#interrupt();
    if (this.#holders.size === 0) return this.detach();
    if (!this.owner.isRunning) return this.store.set({ state: "detached" });
    const { error } = this.store.value;
    this.store.set({ state: "attaching", ...(error && this.#failures > 0 && { error }) });
    if (!this.owner.isReady) return;
    const attempt = this.#attempt;
    const proceed = (permission?: Authorization) => {
      if (attempt === this.#attempt) this.owner.enqueue(() => this.#subscribe(attempt, permission));
    };
    const waits = [this.#permission(), this.#restored()];
    if (waits.every((it) => it === undefined)) return proceed();
    Promise.all(waits).then(
      ([permission]) => proceed(permission as Authorization | undefined),
      (error) => attempt === this.#attempt && this.#refused(error),
    );
  }

  /** No connection, or the client has ended: nothing is under way any more. */
  #interrupt(): void {
    this.#attempt++;
    this.#isSent = false;
    this.#isReplaying = false;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  /** Left: a later holder starts anew. */
  detach(): void {
    this.suspend();
    if (this.#wasAttached) this.owner.positions.delete(this.name);
    this.position = undefined;
    this.#wasAttached = false;
    this.#failures = 0;
    this.#removal = undefined;
    this.presence.clear();
    if (this.#holders.size === 0) this.recent.clear();
    else this.recent.flush();
    for (const holder of this.#holders) {
      holder.backlog = undefined;
      endPast(holder);
    }
  }

  /** The application wants it again, or it is for somebody else now. */
  forgive(): void {
    this.#removal = undefined;
  }

  /** Not subscribed until `attach`, but what was heard is remembered. */
  suspend(): void {
    this.#interrupt();
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    if (this.state !== "detached") this.store.set({ state: "detached" });
  }

  #permission(): Promise<Authorization> | undefined {
    const { connection, settings, signal } = this.owner;
    const id = connection.welcome?.id;
    if (!settings.options.authorize || id === undefined || this.isWatching) return undefined;
    if (!this.#needsPermission && !/^(private|presence)-/.test(this.name)) return undefined;
    return askPermission(settings, settings.options.authorize, this.name, id, signal);
  }

  #restored(): Promise<void> | undefined {
    if (this.position || this.#wasAttached) return undefined;
    return this.owner.positions.get(this.name, this.owner.signal)?.then((position) => {
      this.position ??= position;
    });
  }

  #subscribe(attempt: number, permission: Authorization | undefined): boolean {
    if (attempt !== this.#attempt) return false;
    const { connection } = this.owner;
    const resume = resumeOf(this.position, [...this.#holders], this.owner.hasHistory);
    const isResuming = resume.from !== undefined && "position" in resume.from;
    const data = {
      channel: this.name,
      ...permission,
      ...(this.isWatching && { presence: "watch" }),
      ...resume.from,
      ...(isResuming && connection.previousIds.length > 0 && { previousIds: connection.previousIds }),
    };
    this.#isSent = true;
    connection.request("subscribe", data, "subscribed", (error, frame) => {
      this.owner.answered();
      if (attempt !== this.#attempt) return;
      if (!error) return this.#attached(frame, resume, permission);
      this.#isSent = false;
      // Interrupted by a lost connection, it is attached again by the next.
      if (error.code !== "connection_lost") this.#refused(error, permission);
    });
    return true;
  }

  #attached(frame: Frame, resume: Resume, permission: Authorization | undefined): void {
    const { connection } = this.owner;
    const { recovered, position, data, rewound, complete } = frame;
    const isResumed = resume.from !== undefined && "position" in resume.from;
    const isLost = isResumed ? recovered !== true : this.#wasAttached && !resume.isCaughtUp;
    const wasThere = this.#wasAttached;
    this.#wasAttached = true;
    this.#failures = 0;
    this.position = undefined;
    this.#moveTo(position);
    for (const holder of resume.served) endPast(holder);
    // Who begins to hold from here on, because of a gap for example, reads its own past.
    const holders = [...this.#holders];
    this.store.set({
      state: "attached",
      ...(isResumed && { recovered: recovered === true }),
      ...(rewound !== undefined && { rewound, complete: complete === true }),
    });
    if (resume.from && (recovered || rewound || !isResumed)) this.#replay();
    if (data?.members) {
      this.presence.myId = this.isWatching ? undefined : (memberId(permission) ?? connection.store.value.user?.id);
      const change = this.presence.replace(data.members);
      if (wasThere) this.#tellPresence(change);
    }
    if (isLost) this.#gap({ reason: isResumed ? "unrecoverable" : "no-history" });
    for (const holder of holders) if (this.#holders.has(holder)) this.#catchUp(holder);
    this.owner.user.attached();
  }

  /** The back end has put the client there, and refuses that it comes by itself. What it missed until then is read. */
  #given(frame: Frame): void {
    this.#interrupt();
    this.#isSent = true;
    this.#removal = undefined;
    const { position } = this;
    const isCaughtUp = position !== undefined && this.owner.hasHistory;
    if (isCaughtUp) for (const holder of this.#holders) if (!holder.rewind) holder.since ??= position;
    this.#attached(frame, { served: [], isCaughtUp }, undefined);
  }

  /** What comes until the next answer was published before. */
  #replay(): void {
    this.#isReplaying = true;
    const attempt = this.#attempt;
    this.owner.connection.request("ping", undefined, "pong", () => {
      if (attempt === this.#attempt) this.#isReplaying = false;
    });
  }

  #refused(error: FanfareError, permission?: Authorization): void {
    const { settings } = this.owner;
    settings.log("warn", "not subscribed", { channel: this.name, code: error.code, reason: error.message });
    if (error.code === "unauthorized" && settings.options.authorize && !permission && !this.#needsPermission) {
      this.#needsPermission = true;
      return this.attach();
    }
    if (!error.retryable) {
      this.#interrupt();
      this.store.set({ state: "refused", error });
      return this.owner.user.refused(this, error);
    }
    this.#retryLater(error, error.retryAfterMs ?? settings.backoffMs(this.#failures++));
  }

  #retryLater(error: FanfareError | undefined, pauseMs: number): void {
    this.#interrupt();
    this.store.set({ state: "attaching", ...(error && { error }) });
    this.#cancelRetry = after(this.owner.settings.environment, pauseMs, () => this.attach());
  }

  // --- what comes ---

  frame(name: string | undefined, frame: Frame): void {
    if (name === "subscribed") return this.#given(frame);
    if (this.state !== "attached") return;
    switch (name) {
      case "member_added":
        return this.#tellPresence({ joined: this.presence.add(frame.data.user) ? [frame.data.user] : [] });
      case "member_updated":
        return this.#tellPresence({ updated: listOf(this.presence.update(frame.data.user)) });
      case "member_removed":
        return this.#tellPresence({ left: listOf(this.presence.remove(frame.data.user.id)) });
      case "gap":
        return this.#interrupted();
      case "unsubscribed":
        return this.#removed(errorOf(frame));
      case "subscription_count":
      case "cache_miss":
        return;
    }
    this.#event(frame);
  }

  #event(frame: Frame): void {
    const { position } = frame;
    if (position && !isPast(position, this.position)) return;
    this.#moveTo(position);
    const event = this.owner.user.eventOf(frame, this.#isReplaying);
    if (!event) return;
    this.recent.add(event);
    deliverTo(this.#holders, event);
  }

  /** What it had heard is remembered, in case it may come back. */
  #removed(error: FanfareError): void {
    this.#interrupt();
    // Another token may name the channel.
    this.#removal = error.code === "permission_gone" ? undefined : error;
    this.presence.clear();
    this.store.set({ state: "refused", error });
    this.owner.user.refused(this, error);
    this.removals.emit(error);
  }

  /** The server has lost something. Who is in a presence channel is only told on subscribing. */
  #interrupted(): void {
    this.#gap({ reason: "server" });
    if (this.state !== "attached" || this.presence.members.length === 0) return;
    this.owner.connection.send("unsubscribe", { channel: this.name });
    this.#retryLater(undefined, this.owner.settings.backoffMs(0));
  }

  #gap(gap: Gap): void {
    this.owner.settings.log("warn", "a gap", { channel: this.name, reason: gap.reason });
    this.gaps.emit(gap);
    for (const holder of [...this.#holders]) if (holder.gap) guarded(() => holder.gap?.(gap));
  }

  #tellPresence({ joined = [], left = [], updated = [] }: Partial<PresenceChange>): void {
    this.store.notify();
    for (const member of left) this.leaves.emit(member);
    for (const member of joined) this.joins.emit(member);
    for (const member of updated) this.updates.emit(member);
  }

  #moveTo(position: Position | undefined): void {
    this.position = position ?? this.position;
    if (position) this.owner.positions.set(this.name, position);
  }

  // --- the past ---

  /** Reads what lies between, and delivers it to this holder alone, before anything new. */
  #catchUp(holder: Holder): void {
    const { since, rewind } = holder;
    if (!since && !rewind) return;
    const upTo = this.position;
    const attempt = this.#attempt;
    if (!upTo || !this.owner.hasHistory) {
      endPast(holder);
      // Later, since whoever just began to hold has to get hold of it first.
      if (since) queueMicrotask(() => this.#holderGap(holder));
      return;
    }
    // What it had before is read again.
    holder.backlog = [];
    (since ? readSince(this, since, upTo) : readKept(this, upTo, rewind)).then(
      (frames) => {
        if (attempt !== this.#attempt || !this.#holders.has(holder)) return;
        if (!frames) this.#holderGap(holder);
        for (const frame of frames ?? []) this.#giveOne(holder, frame);
        endPast(holder);
      },
      (error: FanfareError) => {
        // Interrupted: it begins anew with the next connection.
        if (attempt !== this.#attempt || !this.#holders.has(holder)) return;
        this.owner.settings.log("warn", "the past could not be read", { channel: this.name, code: error.code });
        this.#holderGap(holder);
        endPast(holder);
      },
    );
  }

  #giveOne(holder: Holder, frame: Frame): void {
    const event = this.owner.user.eventOf(frame, true);
    if (event) guarded(() => holder.deliver?.(event));
  }

  #holderGap(holder: Holder): void {
    const gap: Gap = { reason: "unrecoverable" };
    if (!this.#holders.has(holder)) return;
    if (holder.gap) guarded(() => holder.gap?.(gap));
    else this.gaps.emit(gap);
  }
}

function listOf(member: Member | undefined): readonly Member[] {
  return member ? [member] : [];
}
