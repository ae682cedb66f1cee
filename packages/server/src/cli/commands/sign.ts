/** `fanfare sign`: the string that is signed, its signature, and which part of somebody's signature differs. */

import { readFile } from "node:fs/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import { errorReason } from "../../config/config-file.ts";
import type { App } from "../../domain/app.ts";
import type { Explanation } from "../../protocols/pusher/explain/explanation.ts";
import { explainChannel, explainUser } from "../../protocols/pusher/explain/permission.ts";
import { authParameters, explainRequest } from "../../protocols/pusher/explain/request.ts";
import { signedPaths } from "../../protocols/pusher/request-signature.ts";
import { type AppOptions, addAppOption, chooseApp, knownApps } from "../apps.ts";
import { CliError } from "../errors.ts";
import { explanationText } from "../explanation.ts";

interface SignOptions extends AppOptions {
  readonly signature?: string;
  readonly json?: true;
}

interface RequestOptions extends SignOptions {
  readonly query?: string;
  readonly body?: string;
  readonly url?: string;
}

export function addSign(program: Command): void {
  const group = program
    .command("sign")
    .description("show what is signed, and what differs in a signature that is refused");
  addSignChannel(group);
  addSignUser(group);
  addSignRequest(group);
}

function addSignChannel(group: Command): void {
  const command = group
    .command("channel")
    .description("the permission of one connection for a private or presence channel")
    .argument("<socket-id>", "the connection's socket id, such as 1234.5678")
    .argument("<channel>", "the channel, such as private-chat")
    .option("--data <json>", "the channel data, character by character as the client sends it")
    .option("--signature <key:hex>", "somebody's signature, to be compared");
  addSignerOptions(command)
    .addHelpText("after", `\nExample:\n  $ fanfare sign channel 1234.5678 presence-room --data '{"user_id":"7"}'`)
    .action(async (socketId: string, channel: string) => {
      const options = command.opts<SignOptions & { data?: string }>();
      const data = options.data === undefined ? {} : { channelData: options.data };
      const auth = options.signature === undefined ? {} : { auth: options.signature };
      await signPermission(options, (app, others) =>
        explainChannel({ app, others, socketId, channel, ...data, ...auth }),
      );
    });
}

function addSignUser(group: Command): void {
  const command = group
    .command("user")
    .description("the permission of one connection to be one user")
    .argument("<socket-id>", "the connection's socket id, such as 1234.5678")
    .argument("<user-data>", "the user data, character by character as the client sends it")
    .option("--signature <key:hex>", "somebody's signature, to be compared");
  addSignerOptions(command)
    .addHelpText("after", `\nExample:\n  $ fanfare sign user 1234.5678 '{"id":"7"}'`)
    .action(async (socketId: string, userData: string) => {
      const options = command.opts<SignOptions>();
      const auth = options.signature === undefined ? {} : { auth: options.signature };
      await signPermission(options, (app, others) => explainUser({ app, others, socketId, userData, ...auth }));
    });
}

const REQUEST_EXAMPLES = `
Examples:
  $ fanfare sign request POST /apps/shop/events --body @event.json
  $ fanfare sign request POST --body @event.json --url 'http://127.0.0.1:9501/apps/shop/events?auth_key=…'`;

function addSignRequest(group: Command): void {
  const command = group
    .command("request")
    .description("a call of the HTTP API")
    .addArgument(group.createArgument("<method>", "the HTTP method").argParser(methodFrom))
    .argument("[path]", "the path as it arrives at the server, such as /apps/shop/events (default: that of --url)")
    .option("--query <k=v&…>", "the parameters; those that a signature needs are added unless --signature is given")
    .option("--body <text or @file>", "the body, exactly as it is sent")
    .addOption(new Option("--signature <hex>", "somebody's signature, to be compared").conflicts("url"))
    .addOption(new Option("--url <url>", "the whole signed URL, to be compared").conflicts("query"));
  addSignerOptions(command)
    .addHelpText("after", REQUEST_EXAMPLES)
    .action(async (method: string, path: string | undefined) => {
      await signRequest(command.opts<RequestOptions>(), method, path);
    });
}

function methodFrom(text: string): string {
  if (/^[a-z]+$/i.test(text)) return text.toUpperCase();
  throw new InvalidArgumentError("It has to be an HTTP method, such as POST.");
}

function addSignerOptions(command: Command): Command {
  return addAppOption(command)
    .option("--key <key>", "the app's key")
    .option("--secret <secret>", "the app's secret")
    .option("--json", "print JSON");
}

type Explain = (app: App, others: readonly App[]) => Explanation;

async function signPermission(options: SignOptions, explain: Explain): Promise<void> {
  const hint = options.signature?.split(":", 1)[0];
  const { app, others } = chooseApp(await knownApps(options), options, hint);
  const explanation = explain(app, others);
  show(options, explanation, { auth: `${app.key}:${explanation.signature}` });
}

async function signRequest(options: RequestOptions, method: string, path: string | undefined): Promise<void> {
  const url = options.url === undefined ? undefined : urlFrom(options.url);
  const written = path ?? url?.pathname;
  if (written === undefined)
    throw new CliError("no path to sign: name it, such as /apps/ID/events, or give the whole URL with --url");
  const body = await bodyFrom(options.body ?? "");
  const known = await knownApps(options);
  const given = url?.searchParams ?? new URLSearchParams(options.query ?? "");
  const { app, others } = chooseApp(known, options, given.get("auth_key") ?? /\/apps\/([^/]+)/.exec(written)?.[1]);
  const judged = options.signature !== undefined || url !== undefined;
  const query = judged ? given : authParameters(app, given, body, Date.now());
  if (options.signature !== undefined) query.set("auth_signature", options.signature);
  if (url !== undefined && !query.has("auth_signature")) {
    throw new CliError("the URL has no auth_signature: give the one that was signed, or leave --url out to sign it");
  }
  const sentPath = pathFrom(written);
  const explanation = explainRequest({
    app,
    others,
    method,
    path: sentPath,
    otherPaths: [...signedPaths(sentPath, known.config.path)].slice(1),
    query,
    body,
    nowMs: Date.now(),
    windowS: known.config.signatureWindowS,
  });
  const signed = `${sentPath}?${query}&auth_signature=${explanation.signature}`;
  show(options, explanation, judged ? {} : { url: signed });
}

/** As it looks when it has come through HTTP. */
function pathFrom(written: string): string {
  const url = URL.parse(written, "http://localhost");
  if (url === null || !written.startsWith("/")) {
    throw new CliError(
      `the path has to start with a slash, such as /apps/ID/events, but is ${JSON.stringify(written)}`,
    );
  }
  if (url.search !== "") throw new CliError("the path has a query: give it with --query, or the whole URL with --url");
  return url.pathname;
}

function urlFrom(written: string): URL {
  const url = URL.parse(written, "http://localhost");
  if (url !== null && /^(https?:\/\/|\/)/.test(written)) return url;
  throw new CliError(`--url has to be the URL that was called, but is ${JSON.stringify(written)}`);
}

/** `@file` is the content of the file, with its line break at the end if it has one: that is what is sent and signed. */
async function bodyFrom(written: string): Promise<string> {
  if (!written.startsWith("@")) return written;
  const file = written.slice(1);
  return await readFile(file, "utf8").catch((error: unknown) => {
    throw new CliError(`cannot read ${file}: ${errorReason(error)}`);
  });
}

function show(options: SignOptions, explanation: Explanation, more: Readonly<Record<string, string>>): void {
  if (options.json) console.log(JSON.stringify({ ...explanation, ...more }, undefined, 2));
  else console.log(explanationText(explanation, Object.entries(more)));
  if (explanation.verdict?.accepted === false) process.exitCode = 1;
}
