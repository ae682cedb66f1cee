/** The last events of a channel, which a listener may begin with. */

/** So many of them, at most 1000, or those of so many seconds. */
export type Rewind = { readonly count: number } | { readonly seconds: number };

/** What came of it; absent where nothing of the kind was asked for, or a recovery made it needless. */
export interface Rewound {
  /** How many events the last subscription brought by `rewind`. */
  readonly rewound?: number;
  /** Whether they are all that `rewind` asked for. */
  readonly complete?: boolean;
}
