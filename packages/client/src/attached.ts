/** Waits until a channel is subscribed. */

import { FanfareError } from "./errors.ts";
import type { Channel } from "./types.ts";
import { abortedError } from "./waiting.ts";

/** Somebody has to hold the channel meanwhile. Rejects if it is refused, and with `aborted`. */
export function whenAttached(channel: Channel, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const { state, error } = channel.snapshot;
      if (signal?.aborted) end(() => reject(abortedError(signal)));
      else if (state === "attached") end(resolve);
      else if (state === "refused")
        end(() => reject(error ?? new FanfareError("unauthorized", "The channel is refused.")));
    };
    const stop = channel.subscribe(look);
    const end = (settle: () => void) => {
      stop();
      signal?.removeEventListener("abort", look);
      settle();
    };
    signal?.addEventListener("abort", look);
    look();
  });
}
