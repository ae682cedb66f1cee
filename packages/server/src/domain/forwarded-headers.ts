/** Which headers of a client's handshake its app's back end may be sent under their own names. */

/** Of one hop, or of the handshake itself; or what the request to the back end says in its own name. */
const NOT_FORWARDED = new Set([
  "connection",
  "date",
  "expect",
  "forwarded",
  "host",
  "http2-settings",
  "idempotency-key",
  "keep-alive",
  "origin",
  "te",
  "traceparent",
  "tracestate",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
]);
const NOT_FORWARDED_PREFIXES = ["content-", "proxy-", "sec-websocket-", "x-forwarded-", "x-pusher-"];
const NAME = /^[-!#$%&'*+.^_`|~0-9a-z]{1,100}$/;

export function isForwardable(header: string): boolean {
  const name = header.toLowerCase();
  return (
    NAME.test(name) && !NOT_FORWARDED.has(name) && !NOT_FORWARDED_PREFIXES.some((prefix) => name.startsWith(prefix))
  );
}
