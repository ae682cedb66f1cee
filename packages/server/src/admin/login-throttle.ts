/** Limits attempts to sign in: by address and by name, in the whole cluster. */

import ipaddr from "ipaddr.js";
import { AdminError } from "./admin-error.ts";
import { ClusterKeys, type KeyStore } from "./cluster-keys.ts";

const LIMIT_BY_ADDRESS = { attempts: 10, withinMs: 60_000 };
/** A stranger can lock a name for that long, but no longer, and not for those who are signed in. */
const LIMIT_BY_NAME = { attempts: 20, withinMs: 300_000 };
/** Checking a password takes 64 MB and a tenth of a second by design. */
const MAX_CONCURRENT = 4;

export class LoginThrottle {
  /** One for each attempt that counts. */
  readonly #keys: ClusterKeys;
  #underWay = 0;

  constructor(store: KeyStore) {
    this.#keys = new ClusterKeys(store);
  }

  /**
   * What `check` resolves with; only a failed attempt counts. Without a name only the address is limited. Throws AdminError
   * `too_many_attempts`.
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
      if (found !== undefined) for (const key of taken) await this.#keys.delete(key);
      return found;
    } finally {
      this.#underWay--;
    }
  }

  async #take(subject: string, { attempts, withinMs }: typeof LIMIT_BY_ADDRESS): Promise<string> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const key = `${subject}/${attempt}`;
      if (await this.#keys.setIfAbsent(key, withinMs)) return key;
    }
    throw tooManyAttempts(withinMs / 1000);
  }
}

/** A client with one IPv6 address has the whole /64. */
function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(":") : parsed.toString();
}

function tooManyAttempts(waitS: number): AdminError {
  const message = "There were too many attempts to sign in: wait a while and try again.";
  return new AdminError("too_many_attempts", message, { "Retry-After": String(waitS) });
}
