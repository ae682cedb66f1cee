/** `fanfare publish`: pushes one event to a channel by the signed HTTP API. */

import { createHash, createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { errorReason } from "../../config/config-file.ts";
import { CliError } from "../errors.ts";
import { fetchTarget, unreachable } from "../http.ts";
import { addTargetOptions, noApp, type TargetOptions, targetOf } from "../target.ts";

export function addPublish(program: Command): void {
  const command = program
    .command("publish")
    .description("push an event to a channel")
    .argument("<channel>", "the channel, such as chat.room.1")
    .argument("<event>", "the name of the event, such as message")
    .argument("<json>", "the data: JSON, or plain text");
  addTargetOptions(command)
    .option("--client-cert <file>", "the certificate to call with (PEM), where the API asks for one")
    .option("--client-key <file>", "its key (PEM)")
    .addHelpText("after", `\nExample:\n  $ fanfare publish chat.room.1 message '{"text":"Hello"}'`)
    .action(async (channel: string, event: string, json: string) => {
      await publish(command.opts<PublishOptions>(), channel, event, dataFrom(json));
      console.log(`published ${event} to ${channel}`);
    });
}

/** Text goes as text, unless it was clearly meant to be JSON and is none. */
export function dataFrom(text: string): string {
  try {
    JSON.parse(text);
  } catch {
    if (!/^\s*[[{]/.test(text)) return text;
    throw new CliError(
      `the data looks like JSON but does not parse: ${text.length > 80 ? `${text.slice(0, 79)}…` : text}`,
    );
  }
  return text;
}

export interface ApiCall {
  readonly method: "GET" | "POST";
  /** As the client sends it. */
  readonly path: string;
  readonly body: string;
  /** Further parameters, in order and after `body_md5` by the alphabet. */
  readonly query?: string;
  readonly key: string;
  readonly secret: string;
  readonly timestampS: number;
}

/** The query that proves who calls. Pusher protocol, HTTP API: keys in order, values as they are, the signature last. */
export function signedQuery({ method, path, body, query: more, key, secret, timestampS }: ApiCall): string {
  const md5 = body === "" ? "" : `&body_md5=${createHash("md5").update(body).digest("hex")}`;
  const query = `auth_key=${key}&auth_timestamp=${timestampS}&auth_version=1.0${md5}${more ? `&${more}` : ""}`;
  const signature = createHmac("sha256", secret).update(`${method}\n${path}\n${query}`).digest("hex");
  return `${query}&auth_signature=${signature}`;
}

interface PublishOptions extends TargetOptions {
  readonly clientCert?: string;
  readonly clientKey?: string;
}

interface Shown {
  readonly cert: string;
  readonly key: string;
}

async function publish(options: PublishOptions, channel: string, name: string, data: string): Promise<void> {
  const shown = await certificateIn(options);
  const { apiUrl: url, id, key, secret } = await targetOf(options);
  if (id === undefined || key === undefined || secret === undefined) throw noApp("--app, --key and --secret");
  const body = JSON.stringify({ name, channels: [channel], data });
  const { base, ...by } = fetchTarget(url);
  const path = `${new URL(base).pathname.replace(/\/$/, "")}/apps/${id}/events`;
  const query = signedQuery({ method: "POST", path, body, key, secret, timestampS: Math.floor(Date.now() / 1000) });
  const response = await post(`${new URL(base).origin}${path}?${query}`, body, {
    ...by,
    ...(shown && { tls: shown }),
  }).catch((error: unknown) => {
    throw unreachable(url, error);
  });
  if (!response.ok) throw new CliError(`${url} refused the event: ${reasonIn(response.text)} (${response.status})`);
}

async function certificateIn({ clientCert, clientKey }: PublishOptions): Promise<Shown | undefined> {
  if (clientCert === undefined && clientKey === undefined) return undefined;
  if (clientCert === undefined || clientKey === undefined) {
    throw new CliError("--client-cert and --client-key belong together: give both");
  }
  const [cert, key] = await Promise.all([clientCert, clientKey].map(textOf));
  return { cert: cert ?? "", key: key ?? "" };
}

async function textOf(file: string): Promise<string> {
  return readFile(file, "utf8").catch((error: unknown) => {
    throw new CliError(`cannot read ${file}: ${errorReason(error)}`);
  });
}

async function post(
  url: string,
  body: string,
  how: { readonly unix?: string; readonly tls?: Shown },
): Promise<{ ok: boolean; status: number; text: string }> {
  const response = await fetch(url, {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    ...how,
  });
  return { ok: response.ok, status: response.status, text: await response.text() };
}

const ANSWER_TIMEOUT_MS = 15_000;

/** The reason as a sentence: servers answer in plain text or in JSON with an `error`. */
function reasonIn(text: string): string {
  let reason = text;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) {
      if ("error" in value && typeof value.error === "string") reason = value.error;
      else if ("message" in value && typeof value.message === "string") reason = value.message;
    }
  } catch {
    // Plain text it is.
  }
  return reason.replaceAll(/\s+/g, " ").trim().slice(0, 300) || "it gives no reason";
}
