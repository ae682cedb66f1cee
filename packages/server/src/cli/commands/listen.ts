/** `fanfare listen`: prints what arrives on a channel, one line for each event. */

import { randomBytes } from "node:crypto";
import { payloadJson, payloadValue } from "../../domain/payload.ts";
import { noApp } from "../apps.ts";
import { onOrphaned } from "../daemon/signals.ts";
import { CliError } from "../errors.ts";
import { printable } from "../output.ts";
import { type Arrived, listen } from "../subscription.ts";
import { type Target, type TargetOptions, targetOf } from "../target.ts";

interface ListenOptions extends TargetOptions {
  readonly json?: true;
  readonly token?: string;
}

const TOKEN_LIFE = "1h";

export async function listenTo(options: ListenOptions, channel: string): Promise<void> {
  const target = await targetOf(options);
  const { url, key } = target;
  if (key === undefined) throw noApp("--key (and --secret for a private channel)");
  const token = await tokenFor(target, channel, options.token);
  if (token === undefined && /^(?:private|presence)-/.test(channel)) {
    throw new CliError(`${channel} needs permission: give the app's secret with --secret, or a token with --token`);
  }
  const stop = new AbortController();
  process.on("SIGINT", () => stop.abort());
  process.on("SIGTERM", () => stop.abort());
  onOrphaned(() => stop.abort());
  // `fanfare listen … | head` closes the pipe: that is the end of it and no failure.
  process.stdout.on("error", () => stop.abort());
  const line = options.json ? asJson : asText;
  await listen({
    url: url.replace(/^http/, "ws"),
    key,
    token,
    channel,
    onEvent: (arrived) => process.stdout.write(`${line(arrived, new Date())}\n`),
    onNote: (note) => process.stderr.write(`${printable(note)}\n`),
    signal: stop.signal,
  });
}

/** The one that was given, or one of its own for this channel, signed with the app's secret; undefined where there is none. */
async function tokenFor(
  { id, secret, tokenRules }: Target,
  channel: string,
  given: string | undefined,
): Promise<(() => Promise<string>) | undefined> {
  if (given !== undefined) return async () => given;
  if (secret === undefined) return undefined;
  const { signToken } = await import("./token.ts");
  const app = { id: id ?? "", secrets: [secret] as const, ...(tokenRules && { token: tokenRules }) };
  const user = `cli-${randomBytes(4).toString("hex")}`;
  const sign = () => signToken(app, user, { channels: channel, expires: TOKEN_LIFE });
  // Whether it can be signed at all is said before anything is opened.
  await sign();
  return sign;
}

/** `12:34:56.789  chat.room.1  message  {"text":"Hello"}` */
export function asText({ channel, event, data, userId }: Arrived, at: Date): string {
  const time = `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
  const parts = [time, channel, event, ...(userId === undefined ? [] : [`from ${userId}`]), oneLine(data)];
  return printable(parts.join("  "));
}

export function asJson({ channel, event, data, userId }: Arrived, at: Date): string {
  const user = userId === undefined ? "" : `,"user_id":${JSON.stringify(userId)}`;
  const head = JSON.stringify({ time: at.toISOString(), channel, event }).slice(0, -1);
  return `${head},"data":${payloadJson(data)}${user}}`;
}

/** As it came, but JSON that was written over several lines without its spaces. */
function oneLine(data: string): string {
  if (!data.includes("\n") || typeof payloadValue(data) === "string") return data;
  return data.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, "$1");
}
