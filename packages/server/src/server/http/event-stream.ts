/** Server-sent events under a server that stops: they never end by themselves, and are ended in good order. */

const EVENT_STREAM = /^text\/event-stream\b/i;

/** The response itself, unless it is an event stream: that one ends when the signal says so, and its clients come back. */
export function endOnAbort(response: Response, signal: AbortSignal, failed: (error: unknown) => void): Response {
  if (!response.body || !EVENT_STREAM.test(response.headers.get("content-type") ?? "")) return response;
  return new Response(endingStream(response.body, signal, failed), response);
}

function endingStream(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  failed: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let isOver = false;
  const give = (reason?: unknown) => void reader.cancel(reason).catch(failed);
  let finish = () => {};
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const end = () => {
        if (finished()) return;
        controller.close();
        give(signal.reason);
      };
      const finished = () => {
        if (isOver) return true;
        isOver = true;
        signal.removeEventListener("abort", end);
        return false;
      };
      finish = () => void finished();
      if (signal.aborted) end();
      else signal.addEventListener("abort", end);
    },
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (isOver) return;
        if (!done) return controller.enqueue(value);
        finish();
        controller.close();
      } catch (error) {
        if (isOver) return;
        finish();
        failed(error);
        // What was said so far is whole; the client asks again.
        controller.close();
      }
    },
    cancel(reason) {
      finish();
      give(reason);
    },
  });
}
