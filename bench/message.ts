/** The message that is fanned out: in every contender's case a frame of 123 bytes. */

export const FRAME_BYTES = 123;
export const CHANNEL = "bench";
export const EVENT = "tick";

/** The two spellings of `data` on the wire: a JSON string that holds JSON, or the JSON itself. */
export type Spelling = "pusher" | "native";

export interface Data {
  readonly text: string;
}

/** Data that makes the frame as long as it has to be. */
export function dataFor(spelling: Spelling): Data {
  const without = frameOf(spelling, { text: "" }).length;
  return { text: "x".repeat(FRAME_BYTES - without) };
}

export function frameOf(spelling: Spelling, data: Data): string {
  return JSON.stringify({ event: EVENT, channel: CHANNEL, data: spelling === "pusher" ? JSON.stringify(data) : data });
}
