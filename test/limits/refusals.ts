/** Asks for what is too much, in both protocols and over HTTP, and brings the refusals into one shape. */

import { NativeTestClient } from "../support/native-client.ts";
import { type PusherTestClient, type SubscribeOptions, signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";

export interface Refusal {
  readonly code: unknown;
  readonly message: unknown;
  /** HTTP's, and that of Pusher's `subscription_error`. */
  readonly status?: unknown;
}

/** Subscribes and expects a no. Presence channels need `member`. */
export async function subscribeRefusal(
  client: PusherTestClient | NativeTestClient,
  channel: string,
  member?: object,
): Promise<Refusal> {
  if (client instanceof NativeTestClient) {
    const permission = /^(private|presence)-/.test(channel) ? client.permission(channel, member) : {};
    const { event, code, message } = await client.ask("subscribe", { channel, ...permission });
    if (event !== "error") throw new Error(`Subscribing to ${channel} was answered ${event}`);
    return { code, message };
  }
  const options: SubscribeOptions = member === undefined ? {} : { data: member };
  client.sendSubscribe(channel, options);
  const frame = await client.next((candidate) => candidate.channel === channel);
  if (frame.event !== "pusher:subscription_error") throw new Error(`Subscribing to ${channel}: ${frame.event}`);
  const { code, error, status } = JSON.parse(String(frame.data)) as { code: string; error: string; status: number };
  return { code, message: error, status };
}

/** Publishes and expects a no. Pusher's refusals of events carry a number or null. */
export async function publishRefusal(
  client: PusherTestClient | NativeTestClient,
  channel: string,
  event: string,
  data: unknown = {},
): Promise<Refusal> {
  if (client instanceof NativeTestClient) {
    const answer = await client.ask("publish", { channel, event, data });
    if (answer.event !== "error") throw new Error(`Publishing ${event} was answered ${answer.event}`);
    return { code: answer.code, message: answer.message };
  }
  client.send(event, data, channel);
  const { data: error } = await client.next("pusher:error");
  return error as Refusal;
}

/** Calls the HTTP API, signed, with a body that is JSON, and expects a no. */
export async function apiRefusal(url: string, method: string, path: string, body?: unknown): Promise<Refusal> {
  const response = await signedFetch(url, APP, method, path, { body });
  if (response.ok) throw new Error(`${method} ${path} was answered ${response.status}`);
  const { code, error } = (await response.json()) as { code: string; error: string };
  return { status: response.status, code, message: error };
}

/** What the API answers when all is well. */
export async function apiStatus(url: string, method: string, path: string, body?: unknown): Promise<number> {
  return (await signedFetch(url, APP, method, path, { body })).status;
}
