/** `fanfare listen`: prints what arrives on a channel, one line for each event. */

import { payloadJson, payloadValue } from "../../domain/payload.ts";
import { noApp } from "../apps.ts";
import { onOrphaned } from "../daemon/parent-watch.ts";
import { CliError } from "../errors.ts";
import { printable } from "../output.ts";
import { type Arrived, listen, needsPermission } from "../subscription.ts";
import { type TargetOptions, targetOf } from "../target.ts";

interface ListenOptions extends TargetOptions {
  readonly json?: true;
}

export async function listenTo(options: ListenOptions, channel: string): Promise<void> {
  const { url, key, secret } = await targetOf(options);
  if (key === undefined) throw noApp("--key (and --secret for a private channel)");
  if (secret === undefined && needsPermission(channel)) {
    throw new CliError(`${channel} needs permission: give the app's secret with --secret`);
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
    channel,
    ...(secret === undefined ? {} : { secret }),
    onEvent: (arrived) => process.stdout.write(`${line(arrived, new Date())}\n`),
    onNote: (note) => process.stderr.write(`${printable(note)}\n`),
    signal: stop.signal,
  });
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
