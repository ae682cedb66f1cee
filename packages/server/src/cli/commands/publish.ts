/** `fanfare publish`: pushes one event to a channel by the signed HTTP API. */

import { readText } from "../arguments.ts";
import { CliError } from "../errors.ts";
import { problemIn } from "../http.ts";
import { brokenJson } from "../json.ts";
import { callApi, type TargetOptions, targetOf } from "../target.ts";

interface PublishOptions extends TargetOptions {
  readonly clientCert?: string;
  readonly clientKey?: string;
}

export async function publish(options: PublishOptions, channel: string, name: string, data: string): Promise<string> {
  const problem = brokenJson(data);
  if (problem !== undefined) throw new CliError(problem);
  const body = JSON.stringify({ name, channels: [channel], data });
  const tls = await certificateOf(options);
  const target = await targetOf(options);
  const answer = await callApi(target, "/events", { method: "POST", body, ...(tls && { tls }) });
  if (answer.ok) return `published ${name} to ${channel}`;
  throw new CliError(`${target.apiUrl} refused the event: ${problemIn(answer)} (${answer.status})`);
}

async function certificateOf({ clientCert, clientKey }: PublishOptions) {
  if (clientCert === undefined && clientKey === undefined) return undefined;
  if (clientCert === undefined || clientKey === undefined) {
    throw new CliError("--client-cert and --client-key belong together: give both");
  }
  const [cert, key] = await Promise.all([readText(clientCert), readText(clientKey)]);
  return { cert, key };
}
