/**
 * What the program itself receives of channels: every event once and in the channel's order, as a subscriber on this node does, and
 * word of where something may be lost. It is no subscriber of the channel: nobody counts or lists it.
 */

import type { App } from "../domain/app.ts";
import type { Position, ResumeOptions } from "../domain/message.ts";
import type { HubContext } from "./context.ts";
import { bytesOf } from "./limits.ts";
import { type CatchUp, catchUpWithoutPast, withCatchUp } from "./recovery.ts";
import { type ChannelListener, ChannelReader } from "./sequence.ts";

/** A reader that is in the channel. */
export interface Reading extends Pick<CatchUp, "rewound" | "complete"> {
  /** Where it began, in a channel with history: what it got of the past is before it. */
  readonly position: Position | undefined;
  /** Nothing is received from now on. Safe to call again. */
  end(): void;
}

export class ChannelReaders {
  readonly #context: HubContext;
  readonly #open = new Set<() => void>();

  constructor(context: HubContext) {
    this.#context = context;
  }

  /**
   * Resolves when nothing published afterwards can be missed. With `resume`, what came after that position is received first, or a
   * gap where that cannot be proved, and then what `rewind` asks for. Throws CommandError `engine_unavailable`.
   */
  async add(
    app: App,
    channel: string,
    listener: ChannelListener,
    { resume, rewind }: Pick<ResumeOptions, "resume" | "rewind"> = {},
  ): Promise<Reading> {
    const { tenants, broker, limits } = this.#context;
    const tenant = tenants.of(app);
    const audience = tenant.retain(channel);
    audience.programHolders++;
    const release = () => {
      audience.programHolders--;
      tenants.release(tenant, audience);
    };
    const reader = new ChannelReader(listener);
    let isIn = false;
    let position: Position | undefined;
    let rewound: Pick<CatchUp, "rewound" | "complete"> = {};
    try {
      if (audience.subscribing) await audience.subscribing;
      const bytes = limits.outboundBufferBytes;
      const asked = { broker, app, audience, resume, rewind, previousIds: undefined, bytes, weigh: bytesOf };
      const subscribe = (past: CatchUp, upTo: Position | undefined) => {
        if (past.recovered === false) listener.gap();
        // A cache channel's last event is none that is published now.
        if (past.recovered || past.rewound !== undefined) for (const event of past.events) listener.event(event);
        if (past.rewound !== undefined) rewound = { rewound: past.rewound, complete: past.complete === true };
        audience.addReader(reader, upTo);
        position = audience.channel.policy.history && upTo;
        isIn = true;
      };
      const past = catchUpWithoutPast(audience.channel, resume);
      if (past) subscribe(past, undefined);
      else await withCatchUp(asked, subscribe);
    } finally {
      if (!isIn) release();
    }
    const end = () => {
      if (!this.#open.delete(end)) return;
      audience.removeReader(reader);
      release();
    };
    this.#open.add(end);
    return { position, ...rewound, end };
  }

  /** The node stops. */
  end(): void {
    for (const end of [...this.#open]) end();
  }
}
