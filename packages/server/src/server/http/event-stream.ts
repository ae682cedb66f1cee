/** Server-sent events while the server stops: they never end by themselves, and are ended in good order. */

const EVENT_STREAM = /^text\/event-stream\b/i;

/** The response itself, unless it is an event stream: that one ends on the signal, and its clients come back. */
export function endOnAbort(response: Response, signal: AbortSignal, failed: (error: unknown) => void): Response {
  if (!response.body || !EVENT_STREAM.test(response.headers.get("content-type") ?? "")) return response;
  return new Response(untilAborted(response.body, signal, failed), response);
}

/** Closes, rather than breaks off, where the source fails too: what was sent so far is whole, and the client asks again. */
function untilAborted(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  failed: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const isClientGone = () => {};
  body.pipeTo(writable, { signal, preventAbort: true }).catch((error) =>
    writable.close().then(() => {
      if (!signal.aborted) failed(error);
    }, isClientGone),
  );
  return readable;
}
