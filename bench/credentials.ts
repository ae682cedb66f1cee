/** The app of the bench. */

export const APP = { id: "bench", key: "bench-key", secret: "bench-secret" } as const;

/** Bytes that may wait for one reader, in every contender; enough that none is cut while the generator catches up. */
export const OUTBOUND_BYTES = 64 * 1024 * 1024;

/** Channels of which the last publications are kept, and how many. */
export const KEPT = [
  { channel: "kept-100", size: 100 },
  { channel: "kept-10000", size: 10_000 },
] as const;
