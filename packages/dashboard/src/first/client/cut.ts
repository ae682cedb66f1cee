/** Cutting one's own connection: what the room does meanwhile is seen by a second connection, what comes back by one's own. */

import type { Channel, ChannelEvent, Client, Position } from "@fanfare/client";
import { createGuest, WORKSHOP } from "./guest.ts";
import type { Wire } from "./wire.ts";

export const CUT_MS = 12_000;
/** What was seen to be missed and is not here by then is not coming. */
const LATE_MS = 8_000;

export type CutState =
  | { readonly phase: "whole" }
  | { readonly phase: "cut"; readonly atMs: number; readonly missed: number }
  | {
      /** `lost`: the server could not give back all. */
      readonly phase: "returning" | "recovered" | "lost";
      readonly atMs: number;
      readonly backAtMs: number;
      readonly missed: number;
      readonly recovered: number;
      /** From the new connection's beginning until the last of them was here. */
      readonly tookMs: number;
      /** What the server was asked to go on from. */
      readonly from: Position | undefined;
    };

export interface CutOptions {
  readonly key: string;
  readonly wire: Wire;
  readonly client: Client;
  readonly room: Channel;
  readonly onChange: (state: CutState) => void;
  /** Something happened in the room that this tab does not hear of. */
  readonly onMissed: (position: Position) => void;
}

export class Cut {
  readonly #options: CutOptions;
  #state: CutState = { phase: "whole" };
  #watcher: Client | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #missed = new Set<number>();
  #recovered = new Set<number>();
  #from: Position | undefined;
  /** As whom this tab was connected. */
  #me: string | undefined;
  #connectedAtMs = 0;

  constructor(options: CutOptions) {
    this.#options = options;
    const { client, room } = options;
    client.subscribe(() => {
      if (this.#state.phase === "returning" && client.snapshot.state === "connected")
        this.#connectedAtMs ||= performance.now();
    });
    room.subscribe(() => this.#look());
    room.onGap(() => this.#end("lost"));
  }

  get state(): CutState {
    return this.#state;
  }

  cut(): void {
    const { key, wire, client, room } = this.#options;
    clearTimeout(this.#timer);
    this.#stopWatching();
    this.#missed = new Set();
    this.#recovered = new Set();
    this.#from = room.position;
    this.#me = client.snapshot.user?.id;
    this.#connectedAtMs = 0;
    this.#become({ phase: "cut", atMs: Date.now(), missed: 0 });
    wire.cut();
    this.#watcher = createGuest({ key });
    const seen = this.#watcher.channel(WORKSHOP, { watch: true });
    seen.onAny((event) => this.#miss(event), this.#from ? { since: this.#from } : {});
    this.#timer = setTimeout(() => this.mend(), CUT_MS);
  }

  mend(): void {
    if (this.#state.phase !== "cut") return;
    const { wire, client } = this.#options;
    clearTimeout(this.#timer);
    const { atMs, missed } = this.#state;
    const back = { atMs, missed, backAtMs: Date.now(), recovered: 0, tookMs: 0, from: this.#from };
    this.#become({ phase: "returning", ...back });
    wire.mend();
    client.wake();
    this.#waitForLate();
  }

  /** Only a server that is there can be without them. */
  #waitForLate(): void {
    const { room } = this.#options;
    this.#timer = setTimeout(
      () => (room.snapshot.state === "attached" ? this.#end("lost") : this.#waitForLate()),
      LATE_MS,
    );
  }

  /** What this tab's own connection delivers. True if it was missed, and is now recovered. */
  hear({ meta: { replayed, position } }: ChannelEvent): boolean {
    const { phase } = this.#state;
    if (!replayed || !position || (phase !== "returning" && phase !== "recovered")) return false;
    this.#recovered.add(position.offset);
    this.#missed.add(position.offset);
    this.#look();
    return true;
  }

  #miss({ meta: { position, user } }: ChannelEvent): void {
    // One's own is not sent to oneself, and so not missed.
    if (!position || user === this.#me || this.#missed.has(position.offset)) return;
    const { phase } = this.#state;
    // What comes while this tab is on its way back, it may hear itself.
    if (phase !== "cut") return;
    this.#missed.add(position.offset);
    this.#options.onMissed(position);
    this.#become({ ...this.#state, missed: this.#missed.size });
  }

  #look(): void {
    const { room } = this.#options;
    const state = this.#state;
    if (room.snapshot.state !== "attached" || (state.phase !== "returning" && state.phase !== "recovered")) return;
    const [missed, recovered] = [this.#missed.size, this.#recovered.size];
    if (recovered > state.recovered) {
      const tookMs = performance.now() - this.#connectedAtMs;
      this.#become({ ...state, missed, recovered, tookMs });
    }
    if (recovered === missed) this.#end("recovered");
  }

  #end(phase: "recovered" | "lost"): void {
    const state = this.#state;
    if (state.phase !== "returning") return;
    clearTimeout(this.#timer);
    this.#stopWatching();
    this.#become({ ...state, phase });
  }

  #stopWatching(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #become(state: CutState): void {
    this.#state = state;
    this.#options.onChange(state);
  }
}
