/** What the program itself receives a channel by, as the channel's audience knows it. */

import type { EventPublication, Push } from "../domain/message.ts";

/** Neither may throw. */
export interface ChannelListener {
  event(publication: EventPublication): void;
  /** Something may be lost between the event before and the next. */
  gap(): void;
}

export class ChannelReader {
  /** It is no client. */
  readonly socket = undefined;
  readonly #listener: ChannelListener;

  constructor(listener: ChannelListener) {
    this.#listener = listener;
  }

  receive(push: Push): void {
    if (push.type === "event") this.#listener.event(push);
    else if (push.type === "gap") this.#listener.gap();
  }
}
