/**
 * A node's own heartbeat, sent through the broker and received on the connection on which the node listens. A connection may answer
 * every PING and deliver nothing; a heartbeat that the broker took and that does not come back shows it.
 */

export const HEARTBEAT_INTERVAL_MS = 1_000;
const MAX_MISSED = 2;

export const HEARTBEAT_LOST = "this node's own heartbeat does not come back: the connection delivers nothing";

export class Heartbeat {
  #sent = 0;
  #received = 0;
  #missed = 0;

  /** The broker has the heartbeat with this number, each greater than those before. */
  sent(number: number): void {
    this.#sent = Math.max(this.#sent, number);
  }

  received(number: number): void {
    this.#received = Math.max(this.#received, number);
  }

  /**
   * Call it once an interval: whether a heartbeat has been missing for two. Counted in calls and not in time, because after this
   * process stood still its timers come before what lies in its sockets.
   */
  isLost(): boolean {
    this.#missed = this.#sent > this.#received ? this.#missed + 1 : 0;
    return this.#missed >= MAX_MISSED;
  }

  /** There is another connection: nothing was sent that it should deliver. */
  reset(): void {
    this.#sent = 0;
    this.#received = 0;
    this.#missed = 0;
  }
}
