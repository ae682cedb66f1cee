/** `fanfare sign`: the string that is signed, its signature, and which part of a refused signature differs. */

import { type Explanation, firstDifference, type Verdict } from "../../protocols/pusher/explain/explanation.ts";
import { explainChannel, explainUser } from "../../protocols/pusher/explain/permission.ts";
import { authParameters, explainRequest } from "../../protocols/pusher/explain/request.ts";
import { otherSignedPaths } from "../../protocols/pusher/request-signature.ts";
import { type AppOptions, type ChosenApp, chooseApp, knownApps } from "../apps.ts";
import { readText } from "../arguments.ts";
import { CliError } from "../errors.ts";
import { printable, printableLines, type Report, type Row, table } from "../output.ts";

interface SignOptions extends AppOptions {
  readonly signature?: string;
}

interface ChannelOptions extends SignOptions {
  readonly data?: string;
}

export function signChannel(options: ChannelOptions, socketId: string, channel: string): Promise<Report> {
  const data = options.data === undefined ? {} : { channelData: options.data };
  return signPermission(options, (signer) => explainChannel({ ...signer, socketId, channel, ...data }));
}

export function signUser(options: SignOptions, socketId: string, userData: string): Promise<Report> {
  return signPermission(options, (signer) => explainUser({ ...signer, socketId, userData }));
}

type Signer = ChosenApp & { readonly auth?: string };

async function signPermission(options: SignOptions, explain: (signer: Signer) => Explanation): Promise<Report> {
  const { signature: auth } = options;
  const chosen = chooseApp(await knownApps(options), options, auth?.split(":", 1)[0]);
  const explanation = explain(auth === undefined ? chosen : { ...chosen, auth });
  return reportOf(explanation, { auth: `${chosen.app.key}:${explanation.signature}` });
}

interface RequestOptions extends SignOptions {
  readonly query?: string;
  readonly body?: string;
  readonly url?: string;
}

export async function signRequest(options: RequestOptions, named: string, writtenPath?: string): Promise<Report> {
  const method = methodFrom(named);
  const url = options.url === undefined ? undefined : urlFrom(options.url);
  const written = writtenPath ?? url?.pathname;
  if (written === undefined) {
    throw new CliError("no path to sign: name it, such as /apps/ID/events, or give the whole URL with --url");
  }
  const body = await bodyFrom(options.body ?? "");
  const known = await knownApps(options);
  const given = url?.searchParams ?? new URLSearchParams(options.query ?? "");
  const chosen = chooseApp(known, options, given.get("auth_key") ?? /\/apps\/([^/]+)/.exec(written)?.[1]);
  const nowMs = Date.now();
  const isJudged = options.signature !== undefined || url !== undefined;
  const query = isJudged ? given : authParameters(chosen.app, given, body, nowMs);
  if (options.signature !== undefined) query.set("auth_signature", options.signature);
  if (url !== undefined && !query.has("auth_signature")) {
    throw new CliError("the URL has no auth_signature: give the one that was signed, or leave --url out to sign it");
  }
  const path = pathFrom(written);
  const otherPaths = [...otherSignedPaths(path, known.config.path)];
  const windowS = known.config.signatureWindowS;
  const explanation = explainRequest({ ...chosen, method, path, otherPaths, query, body, nowMs, windowS });
  const signed = `${path}?${query}&auth_signature=${explanation.signature}`;
  return reportOf(explanation, isJudged ? {} : { url: signed });
}

function methodFrom(text: string): string {
  if (/^[a-z]+$/i.test(text)) return text.toUpperCase();
  throw new CliError(`the method has to be an HTTP method, such as POST, but is ${JSON.stringify(text)}`);
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
  return written.startsWith("@") ? readText(written.slice(1)) : written;
}

/** `more` are further lines, under their names in JSON too. */
function reportOf(explanation: Explanation, more: Readonly<Record<string, string>>): Report {
  const exitCode = explanation.verdict?.accepted === false ? 1 : 0;
  return { json: { ...explanation, ...more }, text: explanationText(explanation, Object.entries(more)), exitCode };
}

/** The string, the signature, and what differs in the one that was given. */
function explanationText({ text, signature, verdict }: Explanation, more: readonly Row[]): string {
  const rows: readonly Row[] = [["signed string", escaped(text)], ["signature", signature], ...more];
  const lines = [...table(rows, { indent: 0, gap: 3 }), "", "the string as it is:", printableLines(text)];
  return [...lines, ...(verdict === undefined ? [] : ["", ...verdictLines(verdict, text)])].join("\n");
}

function verdictLines({ accepted, findings, signedText, notes }: Verdict, text: string): string[] {
  const noted = notes.map((note) => `note: ${printable(note)}`);
  if (accepted) return ["the given signature is right", ...noted];
  const found = table(findings.map(({ part, says }) => [part, says]));
  return ["the given signature does not match:", ...found, ...comparison(signedText, text), ...noted];
}

/** The two strings one below the other, with a mark where they differ first. */
function comparison(signed: string | undefined, right: string): string[] {
  if (signed === undefined) return [];
  const same = firstDifference(signed, right);
  const mark = " ".repeat(escaped(right.slice(0, same)).length - 1);
  return [
    "",
    ...table(
      [
        ["signed was", escaped(signed)],
        ["it has to be", escaped(right)],
        ["", `${mark}^`],
      ],
      { gap: 3 },
    ),
  ];
}

function escaped(text: string): string {
  return JSON.stringify(text);
}
