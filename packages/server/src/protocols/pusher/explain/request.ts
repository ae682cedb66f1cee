/** Explains the signature of an HTTP API request. Pusher protocol, "HTTP API". */

import { createHash } from "node:crypto";
import type { App } from "../../../domain/app.ts";
import { stringToSign, verifyRequest } from "../request-signature.ts";
import {
  type Explanation,
  explain,
  jsonVariants,
  keyMistakes,
  type Mistake,
  type Variant,
  variant,
} from "./explanation.ts";

export interface RequestQuestion {
  readonly app: App;
  readonly others: readonly App[];
  readonly method: string;
  /** As it arrives at the server. */
  readonly path: string;
  /** Other paths that the server accepts, behind a proxy that takes a prefix off. */
  readonly otherPaths: readonly string[];
  /** In the order in which it was written, values not escaped; with auth_signature where there is a signature to judge. */
  readonly query: URLSearchParams;
  readonly body: string;
  readonly nowMs: number;
  readonly windowS: number;
}

type Pair = readonly [name: string, value: string];

export function explainRequest(question: RequestQuestion): Explanation {
  const { app, others, method, path, otherPaths, query, body, nowMs, windowS } = question;
  const given = new Map([...query].map(([name, value]) => [name.toLowerCase(), value]));
  const text = stringToSign(method, path, given);
  const request = { method, paths: [path, ...otherPaths], query, body: new TextEncoder().encode(body) };
  const onlyMd5 = "the body was put behind the signed string: only its MD5 belongs there, as body_md5";
  const asWebhook = "the body alone was signed, as a webhook's is: an API request signs method, path and query";
  return explain({
    app,
    others,
    text,
    signature: given.get("auth_signature"),
    parts: [methods(method), paths(question), queries(query, given), separators()],
    join: ([method = "", path = "", query = "", separator]) => [method, path, query].join(separator),
    wholes: [variant("form", `${text}\n${body}`, onlyMd5), variant("form", body, asWebhook)],
    check: () => verifyRequest(app, request, nowMs, windowS),
    direct: directMistakes(question, given),
    notes: [],
  });
}

/** The parameters that a request needs to be signed, beside those it has. */
export function authParameters(app: App, query: URLSearchParams, body: string, nowMs: number): URLSearchParams {
  const complete = new URLSearchParams(query);
  const add = (name: string, value: string) => {
    if (!complete.has(name)) complete.append(name, value);
  };
  add("auth_key", app.key);
  add("auth_timestamp", String(Math.floor(nowMs / 1000)));
  add("auth_version", "1.0");
  if (body !== "") add("body_md5", md5(body));
  return complete;
}

// ---- what may have been signed

function methods(method: string): Variant[] {
  const upper = method.toUpperCase();
  const lower = upper.toLowerCase();
  const others = ["GET", "POST"].filter((one) => one !== upper);
  return [
    { value: upper },
    variant("method", lower, `the method was signed as ${lower}: it has to be ${upper}`),
    ...others.map((one) => variant("method", one, `the method was signed as ${one}, but sent as ${upper}`)),
  ];
}

function paths({ app, path, otherPaths }: RequestQuestion): Variant[] {
  const [slashed, how] = path.endsWith("/") ? [path.slice(0, -1), "without the"] : [`${path}/`, "with a"];
  const bare = path.replace(/^.*?(?=\/apps\/)/, "");
  const rest = bare.replace(/^\/apps\/[^/]+/, "");
  return [
    { value: path },
    ...otherPaths.map((value) => ({ value })),
    variant("path", slashed, `the path was signed ${how} slash at its end: sign it as it is called`),
    variant("path", bare, `the path was signed without its prefix: sign ${path}, as it is called`),
    variant("path", rest, `the path was signed without /apps/${app.id}: sign the whole path`),
    variant("path", `/apps/${app.key}${rest}`, "the path was signed with the app's key: it has to have its id"),
  ];
}

function separators(): Variant[] {
  const backslash =
    "the parts are parted by a backslash and an n: it has to be a line break (in PHP, within double quotes)";
  return [
    { value: "\n" },
    variant("form", "\\n", backslash),
    variant("form", "\r\n", "the lines end in CR LF: it has to be LF alone"),
  ];
}

/** Which parameters, with which values, in which order and spelling. */
function queries(query: URLSearchParams, given: ReadonlyMap<string, string>): Variant[] {
  const sent = [...query].filter(([name]) => name.toLowerCase() !== "auth_signature");
  const right = sorted([...given].filter(([name]) => name !== "auth_signature"));
  const escaped = joined(right.map(([name, value]): Pair => [name, encodeURIComponent(value)]));
  const asTheyAre = "the values were signed URL-escaped: sign them as they are";
  const all = "auth_signature was part of what was signed: leave it out";
  const isIncluded = (value: string) => joined(sorted([...right, ["auth_signature", value]]));
  return [
    { value: joined(right) },
    variant("query", joined(sent), "the parameters were not sorted: sort them by name"),
    variant("query", escaped, asTheyAre),
    variant("query", escaped.replaceAll("%20", "+"), asTheyAre),
    ...["", given.get("auth_signature") ?? ""].map((value) => variant("query", isIncluded(value), all)),
    ...times(right),
    ...right.map(([name]) => {
      const part = /^(auth_|body_md5$)/.test(name) ? name : "query";
      const without = joined(right.filter(([one]) => one !== name));
      return variant(part, without, `${name} is sent, but was not signed: every parameter is`);
    }),
  ];
}

function times(right: readonly Pair[]): Variant[] {
  const sent = right.find(([name]) => name === "auth_timestamp")?.[1] ?? "";
  if (!/^\d+$/.test(sent)) return [];
  const signedAs = (value: string, says: string) =>
    variant(
      "auth_timestamp",
      joined(right.map(([name, old]) => [name, name === "auth_timestamp" ? value : old])),
      says,
    );
  const again = "the time was taken twice: sign the very time that is sent";
  return [
    signedAs(`${sent}000`, "the time was signed in milliseconds: sign the very seconds that are sent"),
    ...[-1, 1].map((offset) => signedAs(String(Number(sent) + offset), again)),
  ];
}

function sorted(pairs: readonly Pair[]): Pair[] {
  return pairs.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function joined(pairs: readonly Pair[]): string {
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

// ---- what is wrong whatever was signed

function directMistakes(question: RequestQuestion, given: ReadonlyMap<string, string>): Mistake[] {
  const { app, others, query, body } = question;
  const names = [...query.keys()];
  const lower = names.map((name) => name.toLowerCase());
  const twice = names.filter((_, at) => lower.indexOf(lower[at] ?? "") < at);
  const capitals = names.filter((name) => /^auth_/i.test(name) && name !== name.toLowerCase());
  const key = given.get("auth_key");
  const version = given.get("auth_version");
  const isAbsent = version === undefined;
  return [
    ...twice.map((name) => ({ part: "query", says: `the parameter ${name} is given twice` })),
    ...capitals.map((name) => ({ part: "query", says: `the parameter ${name} is written in small letters` })),
    ...(key === undefined
      ? [{ part: "auth_key", says: `auth_key is missing: it is ${app.key}` }]
      : keyMistakes(app, others, key, "auth_key", "auth_key")),
    ...mistake(
      "auth_version",
      version !== "1.0" && (isAbsent ? "is missing: it is 1.0" : `is ${version}: it has to be 1.0`),
    ),
    ...mistake("auth_timestamp", timeMistake(question, given.get("auth_timestamp"))),
    ...bodyMistakes(given.get("body_md5"), body),
  ];
}

/** `says` goes on from the parameter's name. */
function mistake(part: string, says: string | false | undefined): Mistake[] {
  return says ? [{ part, says: `${part} ${says}` }] : [];
}

function timeMistake({ nowMs, windowS }: RequestQuestion, time: string | undefined): string | undefined {
  if (time === undefined) return "is missing: it is the Unix time in seconds";
  if (/^\d{13}$/.test(time)) return "is in milliseconds: it has to be in seconds";
  if (/^\d+\.\d+$/.test(time)) return "has a fraction: it has to be whole seconds";
  if (!/^\d{1,12}$/.test(time)) return `is ${JSON.stringify(time)}: it has to be the Unix time in seconds`;
  const lateS = Math.floor(nowMs / 1000) - Number(time);
  if (Math.abs(lateS) <= windowS) return undefined;
  const hours = Math.round(lateS / 1800) / 2;
  const isZone = hours !== 0 && Math.abs(hours) <= 14 && Math.abs(lateS - hours * 3600) < 300;
  const zone = isZone ? `, which is just about ${Math.abs(hours)} h: it may be local time instead of UTC` : "";
  const way = lateS > 0 ? "old" : "ahead of this clock";
  return `is ${Math.abs(lateS)} s ${way}, and ${windowS} s are allowed${zone}`;
}

function bodyMistakes(digest: string | undefined, body: string): Mistake[] {
  const right = md5(body);
  if (digest === right || (digest === undefined && body === "")) return [];
  const says = (text: string) => mistake("body_md5", text);
  if (digest === undefined) return says(`is missing, and the body is not empty: it is ${right}`);
  if (digest.toLowerCase() === right) return says("is written in capitals: it has to be small letters");
  if (body === "") return says(`is ${digest}, but there is no body (give it with --body)`);
  if (digest === md5("")) return says("is that of an empty body: take it of the body that is sent");
  const respelled = jsonVariants(body, "body_md5", "the body").find(({ value }) => md5(value) === digest)?.mistake;
  if (respelled) return [respelled];
  return says(`is ${digest}, but that of this body is ${right}: it was made of another text`);
}

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}
