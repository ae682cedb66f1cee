/**
 * A node's own beat, sent through the broker and to be heard on the connection on which the node listens. A connection may
 * answer every PING and deliver nothing; a beat that the broker took and that does not come back shows it.
 */

export const HEARTBEAT_INTERVAL_MS = 1_000;
const MOST_MISSED = 2;

export const HEARTBEAT_LOST = "this node's own heartbeat does not come back: the connection delivers nothing";

export class Heartbeat {
  #taken = 0;
  #heard = 0;
  #missed = 0;

  /** The broker has the beat with this number, each greater than those before. */
  sent(number: number): void {
    this.#taken = Math.max(this.#taken, number);
  }

  received(number: number): void {
    this.#heard = Math.max(this.#heard, number);
  }

  /**
   * Call it once an interval: whether a beat has been missing for two. Counted in calls and not in time, because after this
   * process stood still its timers come before what lies in its sockets.
   */
  isLost(): boolean {
    this.#missed = this.#taken > this.#heard ? this.#missed + 1 : 0;
    return this.#missed >= MOST_MISSED;
  }

  /** It is another connection: nothing was sent that it should deliver. */
  reset(): void {
    this.#taken = 0;
    this.#heard = 0;
    this.#missed = 0;
  }
}
