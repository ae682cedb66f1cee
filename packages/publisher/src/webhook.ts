/** Checks that a request is a webhook of the server, and reads it. */

import { PublisherError } from "./errors.ts";
import type { Signer } from "./signer.ts";

/** A webhook as frameworks without `Request` have it. The body is the raw one: JSON that was parsed and written again has another signature. */
export interface RawWebhook {
  readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string | Uint8Array;
}

interface Base<N extends string> {
  readonly name: N;
  readonly channel: string;
}

/** What happened, as the Pusher protocol spells it. Names that are added later arrive as well, so keep a `default`. */
export type WebhookEvent =
  | Base<"channel_occupied" | "channel_vacated" | "cache_miss">
  | (Base<"member_added" | "member_removed"> & { readonly user_id: string })
  | (Base<"subscription_count"> & { readonly subscription_count: number })
  | (Base<"client_event"> & {
      readonly event: string;
      /** As it was sent: JSON, usually. */
      readonly data: string;
      readonly socket_id: string;
      /** In presence channels. */
      readonly user_id?: string;
    });

export interface Webhook {
  /** When the first of the events happened: milliseconds since 1970, by the server's clock. */
  readonly timeMs: number;
  /** In order, per channel. One may come twice, where the answer to a webhook was lost. */
  readonly events: readonly WebhookEvent[];
}

export async function readWebhook(
  key: string,
  signers: readonly Signer[],
  request: Request | RawWebhook,
): Promise<Webhook> {
  const body = isRequest(request) ? new Uint8Array(await request.arrayBuffer()) : bytesOf(request.body);
  if (headerOf(request, "X-Pusher-Key") !== key) throw refused("The webhook is not of this app: X-Pusher-Key differs.");
  const signature = headerOf(request, "X-Pusher-Signature") ?? "";
  // Each of them, whichever it is: how long it takes tells nothing.
  const signed = await Promise.all(signers.map((signer) => signer.isSigned(body, signature)));
  if (!signed.includes(true))
    throw refused("X-Pusher-Signature is not the signature of this body by the app's secret.");
  try {
    const { time_ms: timeMs, events } = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    if (typeof timeMs === "number" && Array.isArray(events)) return { timeMs, events };
  } catch {
    // It is refused below.
  }
  throw new PublisherError("The webhook's body is not one.", { status: 400, code: "webhook_invalid" });
}

function isRequest(request: Request | RawWebhook): request is Request {
  return "arrayBuffer" in request;
}

function bytesOf(body: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(body);
}

function headerOf({ headers }: Request | RawWebhook, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
  return typeof found === "string" ? found : found?.[0];
}

function refused(message: string): PublisherError {
  return new PublisherError(message, { status: 401, code: "webhook_invalid" });
}
