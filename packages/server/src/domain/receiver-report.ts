/** How one receiver of webhooks or hooks answered one node, as nodes tell each other. */

export interface ReceiverReport {
  readonly app: string;
  readonly target: string;
  /** Of the last hour, as many as are remembered. */
  readonly attempts: number;
  readonly taken: number;
  /** Over the last five minutes. */
  readonly perMinute: number;
  /** Of each attempt. */
  readonly tookMs: readonly number[];
  readonly lastAtMs?: number;
  readonly lastStatus?: number;
  /** It is not asked for a while, since it failed too often. */
  readonly isResting: boolean;
}
