/** Explains the signature of an HTTP API request. Pusher protocol, "HTTP API". */

import { createHash } from "node:crypto";
import type { App } from "../../../domain/app.ts";
import { sign } from "../../../hub/signature.ts";
import { stringToSign, verifyRequest } from "../request-signature.ts";
import { type Explanation, judge } from "./explanation.ts";
import { jsonVariants } from "./json-variants.ts";
import { type Mistake, named } from "./mistakes.ts";
import { lowerCased, md5, type RequestQuestion, requestCandidates } from "./request-candidates.ts";

export type { RequestQuestion } from "./request-candidates.ts";

export function explainRequest(question: RequestQuestion): Explanation {
  const { app, others, method, path, otherPaths, query, body, nowMs, windowS } = question;
  const text = stringToSign(method, path, lowerCased(query));
  const explanation = { text, signature: sign(app.secrets[0], text) };
  const signature = [...query].find(([name]) => name.toLowerCase() === "auth_signature")?.[1];
  if (signature === undefined) return explanation;
  const bytes = new TextEncoder().encode(body);
  const signed = { method, paths: [path, ...otherPaths], query, body: bytes };
  const verdict = judge({
    app,
    others,
    text,
    candidates: requestCandidates(question, text, signature),
    signature,
    check: () => verifyRequest(app, signed, nowMs, windowS),
    direct: directMistakes(question),
    notes: [],
  });
  return { ...explanation, verdict };
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

// ---- what is wrong whatever was signed

function directMistakes(question: RequestQuestion): Mistake[] {
  const { app, others, query, body } = question;
  const given = lowerCased(query);
  return [
    ...nameMistakes(query),
    ...keyMistakes(app, others, given.get("auth_key")),
    ...versionMistakes(given.get("auth_version")),
    ...timeMistakes(question, given.get("auth_timestamp")),
    ...bodyMistakes(given.get("body_md5"), body),
  ];
}

function nameMistakes(query: URLSearchParams): Mistake[] {
  const names = [...query.keys()];
  const twice = names.filter(
    (name, index) => names.findIndex((one) => one.toLowerCase() === name.toLowerCase()) < index,
  );
  const capitals = names.filter((name) => /^auth_/i.test(name) && name !== name.toLowerCase());
  return [
    ...twice.map((name): Mistake => ({ part: "query", says: `the parameter ${name} is given twice` })),
    ...capitals.map((name): Mistake => ({ part: "query", says: `the parameter ${name} is written in small letters` })),
  ];
}

function keyMistakes(app: App, others: readonly App[], key: string | undefined): Mistake[] {
  const part = "auth_key";
  if (key === app.key) return [];
  if (key === undefined) return [{ part, says: `auth_key is missing: it is ${app.key}` }];
  const other = others.find((one) => one.key === key);
  if (other !== undefined)
    return [{ part, says: `auth_key is that of another app, ${other.id}: that of ${app.id} is ${app.key}` }];
  if (key === app.id) return [{ part, says: `auth_key is the app's id: it has to be its key, ${app.key}` }];
  if (app.secrets.includes(key)) {
    return [{ part, says: "auth_key is the app's secret; whoever saw the request has it: change it" }];
  }
  return [{ part, says: `auth_key is ${JSON.stringify(key)}, but that of ${app.id} is ${JSON.stringify(app.key)}` }];
}

function versionMistakes(version: string | undefined): Mistake[] {
  if (version === "1.0") return [];
  const says =
    version === undefined ? "auth_version is missing: it is 1.0" : `auth_version is ${version}: it has to be 1.0`;
  return [{ part: "auth_version", says }];
}

function timeMistakes({ nowMs, windowS }: RequestQuestion, time: string | undefined): Mistake[] {
  const part = "auth_timestamp";
  if (time === undefined) return [{ part, says: "auth_timestamp is missing: it is the Unix time in seconds" }];
  if (/^\d{13}$/.test(time)) return [{ part, says: "auth_timestamp is in milliseconds: it has to be in seconds" }];
  if (/^\d+\.\d+$/.test(time)) return [{ part, says: "auth_timestamp has a fraction: it has to be whole seconds" }];
  if (!/^\d{1,12}$/.test(time)) {
    return [{ part, says: `auth_timestamp is ${JSON.stringify(time)}: it has to be the Unix time in seconds` }];
  }
  const lateS = Math.floor(nowMs / 1000) - Number(time);
  if (Math.abs(lateS) <= windowS) return [];
  const hours = Math.round(lateS / 1800) / 2;
  const isZone = hours !== 0 && Math.abs(hours) <= 14 && Math.abs(lateS - hours * 3600) < 300;
  const zone = isZone ? `, which is just about ${Math.abs(hours)} h: it may be local time instead of UTC` : "";
  const way = lateS > 0 ? "old" : "ahead of this clock";
  const says = `auth_timestamp is ${Math.abs(lateS)} s ${way}, and ${windowS} s are allowed${zone}`;
  return [{ part, says }];
}

function bodyMistakes(digest: string | undefined, body: string): Mistake[] {
  const part = "body_md5";
  const right = md5(body);
  if (digest === right || (digest === undefined && body === "")) return [];
  if (digest === undefined) return [{ part, says: `body_md5 is missing, and the body is not empty: it is ${right}` }];
  if (digest.toLowerCase() === right)
    return [{ part, says: "body_md5 is written in capitals: it has to be small letters" }];
  const binary = createHash("md5").update(body).digest("base64");
  if (digest === binary) return [{ part, says: "body_md5 is written in base64: it has to be hex" }];
  if (digest === md5("") && body !== "") {
    return [{ part, says: "body_md5 is that of an empty body: take it of the body that is sent" }];
  }
  const variant = jsonVariants(body, part, "the body").find(({ value }) => md5(value) === digest);
  const known = variant === undefined ? [] : named(variant);
  if (known.length > 0) return known;
  if (digest === createHash("sha256").update(body).digest("hex")) {
    return [{ part, says: "body_md5 was made with SHA-256: it has to be MD5" }];
  }
  if (body === "") return [{ part, says: `body_md5 is ${digest}, but there is no body (give it with --body)` }];
  return [{ part, says: `body_md5 is ${digest}, but that of this body is ${right}: it was made of another text` }];
}
