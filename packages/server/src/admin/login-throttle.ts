/** How often somebody may try to sign in: so often from one address, so often by one name, in the whole cluster. */

import ipaddr from "ipaddr.js";
import type { Ledger } from "../domain/ports.ts";
import { AdminError } from "./admin-error.ts";

const LIMIT_BY_ADDRESS = { most: 10, withinMs: 60_000 };
/** Somebody's name can be locked by others for that long, but no longer, and not for those who are signed in. */
const LIMIT_BY_NAME = { most: 20, withinMs: 300_000 };
/** Checking a password takes 64 MB and a tenth of a second by design. */
const MAX_CONCURRENT = 4;

type SharedKeys = Pick<Ledger, "setIfAbsent" | "delete">;

export class LoginThrottle {
  readonly #notes: SharedKeys;
  /** For the time in which the engine cannot be asked. */
  readonly #own = new LocalKeys();
  #underWay = 0;

  constructor(notes: SharedKeys) {
    this.#notes = notes;
  }

  /**
   * What `check` says, where it may be asked; what is right takes nothing of what one has. Without a name there is none to
   * be guessed for. Throws Refused `too_many_attempts`.
   */
  async attempt<T>(
    address: string,
    name: string | undefined,
    check: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    if (this.#underWay >= MAX_CONCURRENT) throw tooManyAttempts(1);
    this.#underWay++;
    try {
      const taken = [
        await this.#take(`dashboard-from/${networkOf(address)}`, LIMIT_BY_ADDRESS),
        ...(name === undefined ? [] : [await this.#take(`dashboard-by/${name}`, LIMIT_BY_NAME)]),
      ];
      const found = await check();
      if (found !== undefined) for (const note of taken) await this.#giveBack(note);
      return found;
    } finally {
      this.#underWay--;
    }
  }

  /** The first place that nobody has. */
  async #take(who: string, { most, withinMs }: typeof LIMIT_BY_ADDRESS): Promise<string> {
    for (let place = 0; place < most; place++) {
      const note = `${who}/${place}`;
      if (await this.#note(note, withinMs)) return note;
    }
    throw tooManyAttempts(withinMs / 1000);
  }

  async #note(note: string, withinMs: number): Promise<boolean> {
    const isFirstHere = this.#own.once(note, withinMs);
    try {
      return (await this.#notes.setIfAbsent(note, withinMs)) && isFirstHere;
    } catch {
      return isFirstHere;
    }
  }

  async #giveBack(note: string): Promise<void> {
    this.#own.forget(note);
    try {
      await this.#notes.delete(note);
    } catch {
      // It is over by itself soon enough.
    }
  }
}

class LocalKeys {
  readonly #until = new Map<string, number>();

  once(note: string, withinMs: number): boolean {
    const nowMs = performance.now();
    for (const [other, until] of this.#until) if (until <= nowMs) this.#until.delete(other);
    if (this.#until.has(note)) return false;
    this.#until.set(note, nowMs + withinMs);
    return true;
  }

  forget(note: string): void {
    this.#until.delete(note);
  }
}

/** Somebody with one IPv6 address has as many as there are in its /64. */
function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(":") : parsed.toString();
}

function tooManyAttempts(waitS: number): AdminError {
  const message = "There were too many attempts to sign in: wait a while and try again.";
  return new AdminError("too_many_attempts", message, { "Retry-After": String(waitS) });
}
