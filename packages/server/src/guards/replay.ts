/** Refuses a signed API call that was made before, where an app wants that. Remembers calls as long as they would count. */

import type { App } from "../domain/app.ts";
import { CommandError } from "../domain/error.ts";
import type { Awaitable, Clock, Guard, Ledger, SignedCall } from "../domain/ports.ts";

/** Most calls of one app that are remembered: about 50 MB. An app that makes more is refused, never believed twice. */
const REMEMBERED = 500_000;
/** So much of a signature that no two are alike. */
const MARK_BYTES = 16;

export interface ReplayOptions {
  readonly clock: Clock;
  readonly windowS: number;
  readonly remembered?: number;
  /** Of a cluster: a call that another node has taken counts as made. */
  readonly ledger?: Pick<Ledger, "setIfAbsent">;
}

export function replayGuard({ clock, windowS, remembered = REMEMBERED, ledger }: ReplayOptions): Guard {
  // By id: an app whose settings were reloaded has not forgotten what was called before.
  const histories = new Map<string, History>();
  const remember = (app: App, { signature, timestampS }: SignedCall): Awaitable<void> => {
    const history = histories.get(app.id) ?? new History();
    histories.set(app.id, history);
    history.forgetBefore(Math.floor(clock.wallMs() / 1000) - windowS);
    const mark = Buffer.from(signature.slice(0, 2 * MARK_BYTES), "hex").toString("latin1");
    if (history.has(mark, timestampS)) {
      throw repeated();
    }
    if (history.size >= remembered) {
      const message = `More than ${remembered} calls within ${windowS} seconds cannot be distinguished from repeated ones.`;
      throw new CommandError("rate_limited", message);
    }
    history.add(mark, timestampS);
    const forget = () => history.remove(mark, timestampS);
    return ledger && askOthers(ledger, app, signature, 2 * windowS * 1000, forget);
  };
  // What remembers is a function of its own: its closure has a scope made for each call, also where nothing is remembered.
  return { apiCall: (app, call) => (app.replayProtection ? remember(app, call) : undefined) };
}

/**
 * Nodes whose clocks differ take a call for valid at different times, so it is noted for the window of either side. Where the
 * engine is away the call is refused, and may be made again as it is.
 */
async function askOthers(
  ledger: Pick<Ledger, "setIfAbsent">,
  { id }: App,
  signature: string,
  ttlMs: number,
  forget: () => void,
): Promise<void> {
  let isFirst: Awaitable<boolean>;
  try {
    isFirst = await ledger.setIfAbsent(`call ${id} ${signature}`, ttlMs);
  } catch (error) {
    forget();
    throw error;
  }
  if (!isFirst) throw repeated();
}

function repeated(): CommandError {
  return new CommandError("signature_invalid", "This very call was made before: sign each call anew.");
}

/** The calls of one app by the second they were signed in, which is signed itself: a repeated call is in the same. */
class History {
  readonly #seconds = new Map<number, Set<string>>();
  #forgottenBeforeS = Number.NEGATIVE_INFINITY;
  size = 0;

  has(mark: string, timestampS: number): boolean {
    return this.#seconds.get(timestampS)?.has(mark) ?? false;
  }

  add(mark: string, timestampS: number): void {
    const marks = this.#seconds.get(timestampS) ?? new Set();
    this.#seconds.set(timestampS, marks.add(mark));
    this.size++;
  }

  remove(mark: string, timestampS: number): void {
    if (this.#seconds.get(timestampS)?.delete(mark)) this.size--;
  }

  forgetBefore(timestampS: number): void {
    if (timestampS <= this.#forgottenBeforeS) return;
    this.#forgottenBeforeS = timestampS;
    for (const [second, marks] of this.#seconds) {
      if (second >= timestampS) continue;
      this.#seconds.delete(second);
      this.size -= marks.size;
    }
  }
}
