/** Reads one of the streams that `publisher.stream()` publishes, whole and in order, however late the reader comes. */

import type { Declaration } from "@fanfare/schema";
import { FanfareError } from "../errors.ts";
import type { Channel, Position } from "../types.ts";
import { EVENT, type StreamEvent } from "./event.ts";
import { findStream } from "./find.ts";

export interface ReadOptions {
  /** The name of the stream's events. Default `"stream"`. */
  readonly event?: string;
  /** Ends the reading; the stream itself goes on. */
  readonly signal?: AbortSignal;
}

/** A publisher that is alive sends something every 10 s. */
const SILENCE_MS = 30_000;

/** Begins at once, after that position or now. It errors if a part is lost or the publisher has gone silent. */
export function openStream(
  channel: Channel,
  id: string,
  event: string,
  since: Position | undefined,
  signal: AbortSignal | undefined,
): ReadableStream<StreamEvent> {
  let next = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop = () => {};
  const end = (finish: () => void) => {
    clearTimeout(timer);
    stop();
    finish();
  };
  return new ReadableStream({
    start(controller) {
      const fail = (code: string, message: string) =>
        end(() => controller.error(new FanfareError(code, message, { channel: channel.name })));
      const wait = () => {
        clearTimeout(timer);
        // While the connection is away, silence says nothing.
        timer = setTimeout(
          () => (channel.snapshot.state === "attached" ? fail("timeout", `The stream ${id} is silent.`) : wait()),
          SILENCE_MS,
        );
      };
      const take = (part: StreamEvent) => {
        if (part?.id !== id || part.seq < next) return;
        if (part.seq > next++) return fail("stream_incomplete", `A part of the stream ${id} is no longer kept.`);
        controller.enqueue(part);
        if (part.type === "start" || part.type === "delta") wait();
        else end(() => controller.close());
      };
      if (signal?.aborted) return controller.error(signal.reason);
      wait();
      const unsubscribe = channel.on(event, (data) => take(data as StreamEvent), since && { since });
      const abort = () => end(() => controller.error(signal?.reason));
      signal?.addEventListener("abort", abort);
      stop = () => {
        unsubscribe();
        signal?.removeEventListener("abort", abort);
      };
    },
    cancel: () => end(() => {}),
  });
}

/**
 * The text of a stream, piece by piece, from its beginning. Ends when the answer is whole. Throws a FanfareError otherwise:
 * `stream_error` (its source failed), `stream_aborted`, `stream_incomplete` (a part is no longer kept), `timeout` (30 s of silence).
 */
export async function* readStream<D extends Declaration, N extends string>(
  channel: Channel<D, N>,
  id: string,
  { event = EVENT, signal }: ReadOptions = {},
): AsyncGenerator<string> {
  const of = channel as unknown as Channel;
  const { since } = await findStream(of, event, signal, id);
  const reader = openStream(of, id, event, since, signal).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (value.text !== undefined) yield value.text;
      if (value.type === "error" || value.type === "aborted") throw broken(value);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function broken({ id, type }: StreamEvent): FanfareError {
  const message = type === "error" ? "failed" : "was stopped";
  return new FanfareError(`stream_${type}`, `The stream ${id} ${message} before its end.`);
}
