/** How long things may take, and how much may wait: public shapes of the client's options. */

export interface QueueLimits {
  /** Default 100. */
  readonly messages: number;
  /** Default 1 048 576. */
  readonly bytes: number;
  /** From the first attempt. Default 240 000: the server remembers idempotency keys for 300 s. */
  readonly ageMs: number;
}

export interface Timeouts {
  /** For each of: the address, the token, the connection. Default 10 000. */
  readonly connectMs: number;
  /** Silence after which a visible page sends a ping. Default 30 000. */
  readonly pingMs: number;
  /** How long the answer to a ping may take. Default 10 000. */
  readonly pongMs: number;
  /** The same after waking up or a change of network. Default 5 000. */
  readonly wakeMs: number;
  /** How long the answer to a command may take. Default 10 000. */
  readonly replyMs: number;
}

export interface Backoff {
  /** The first pause; it is doubled with each failure. Default 1 000. */
  readonly minMs: number;
  /** Default 30 000. */
  readonly maxMs: number;
}
