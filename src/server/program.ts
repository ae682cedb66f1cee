/** What the program around the server brings to its door. It outlives each start and stop. */

import type { FetchHandler } from "./mount.ts";

export class Program {
  /** Told to handlers. */
  readonly server: unknown;
  /** Ordinary HTTP, as far as it is none of the server's own. */
  fetch: FetchHandler | undefined;

  constructor(server: unknown) {
    this.server = server;
  }
}
