/** The strings that may have been signed in place of the right one for an HTTP API request. */

import { createHash } from "node:crypto";
import type { App } from "../../../domain/app.ts";
import { jsonVariants } from "./json-variants.ts";
import {
  type Candidate,
  combine,
  distinct,
  fewestFirst,
  type Mistake,
  named,
  type Part,
  type Variant,
} from "./mistakes.ts";

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

export function requestCandidates(question: RequestQuestion, right: string, signature: string): Candidate[] {
  const parts = [methods(question.method), paths(question), queries(question, signature), separators()];
  const candidates = combine(parts, ([method = "", path = "", query = "", between = "\n"]) =>
    [method, path, query].join(between),
  );
  const withBody: Candidate = {
    text: `${right}\n${question.body}`,
    mistakes: [
      { part: "form", says: "the body was put behind the signed string: only its MD5 belongs there, as body_md5" },
    ],
  };
  const bodyAlone: Candidate = {
    text: question.body,
    mistakes: [
      {
        part: "form",
        says: "the body alone was signed, as a webhook's is: an API request signs method, path and query",
      },
    ],
  };
  return fewestFirst([{ text: right, mistakes: [] }, ...candidates, withBody, bodyAlone]);
}

export function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

export function lowerCased(query: URLSearchParams): Map<string, string> {
  return new Map([...query].map(([name, value]) => [name.toLowerCase(), value]));
}

function wrong(part: Part, value: string, says: string): Variant<string> {
  return { value, mistake: { part, says } };
}

function methods(method: string): Variant<string>[] {
  const upper = method.toUpperCase();
  const others = ["GET", "POST", "PUT", "DELETE"].filter((one) => one !== upper);
  return [
    { value: upper },
    wrong("method", upper.toLowerCase(), `the method was signed as ${upper.toLowerCase()}: it has to be ${upper}`),
    ...others.map((one) => wrong("method", one, `the method was signed as ${one}, but sent as ${upper}`)),
    wrong("method", "", `the method is missing: ${upper} is the first line`),
  ];
}

function paths({ path, otherPaths, app }: RequestQuestion): Variant<string>[] {
  const slashed = path.endsWith("/") ? path.replace(/\/+$/, "") : `${path}/`;
  const slash = path.endsWith("/") ? "without the slash at its end" : "with a slash at its end";
  const bare = path.replace(/^.*?(?=\/apps\/)/, "");
  const rest = bare.replace(/^\/apps\/[^/]+/, "");
  return distinct([
    { value: path },
    ...otherPaths.map((value) => ({ value })),
    wrong("path", slashed, `the path was signed ${slash}: sign it as it is called`),
    wrong("path", bare, `the path was signed without its prefix: sign ${path}, as it is called`),
    wrong("path", path.slice(1), "the path was signed without the slash in front"),
    wrong("path", rest, `the path was signed without /apps/${app.id}: sign the whole path`),
    wrong(
      "path",
      bare.replace(/^\/apps\/[^/]+/, `/apps/${app.key}`),
      "the path was signed with the app's key: it has to have its id",
    ),
    wrong("path", decoded(path), "the path was signed with its escapes undone: sign it as it is called"),
    wrong("path", encodeURI(path), "the path was signed with escapes: sign it as it is called"),
    wrong("path", encodeURIComponent(path), "the path was signed URL-escaped: sign it as it is called"),
    wrong("path", "", "the path is missing: it is the second line"),
  ]);
}

function separators(): Variant<string>[] {
  const form = (value: string, says: string) => wrong("form", value, says);
  return [
    { value: "\n" },
    form(
      "\\n",
      "the parts are parted by a backslash and an n: it has to be a line break (in PHP, within double quotes)",
    ),
    form("\r\n", "the lines end in CR LF: it has to be LF alone"),
    form("", "nothing stands between method, path and query: it has to be a line break"),
    form(" ", "spaces stand between method, path and query: it has to be line breaks"),
    form(":", "colons stand between method, path and query: it has to be line breaks"),
    form("?", "question marks stand between method, path and query: it has to be line breaks"),
  ];
}

type Pair = readonly [name: string, value: string];

/** The third line: which parameters, with which values, in which order and spelling. */
function queries(question: RequestQuestion, signature: string): Variant<string>[] {
  const given: Pair[] = [...question.query];
  const pairs = given.filter(([name]) => name.toLowerCase() !== "auth_signature");
  const right = bySpelling([...lowerCased(question.query)].filter(([name]) => name !== "auth_signature"));
  const spelt = [...spellings(pairs, right), ...extras(right, signature)];
  const changed = [...bodies(question, right), ...times(right), ...missing(right)];
  return distinct([{ value: joined(right) }, ...spelt, ...changed]);
}

function spellings(pairs: readonly Pair[], right: readonly Pair[]): Variant<string>[] {
  const escaped = right.map(([name, value]): Pair => [name, encodeURIComponent(value)]);
  const says = "the values were signed URL-escaped: sign them as they are";
  const lists = right.map(([name, value]): Pair => [name, value.replaceAll(",", ", ")]);
  const bracketed = right.flatMap(([name, value]): Pair[] =>
    value.includes(",") ? value.split(",").map((one) => [`${name}[]`, one]) : [[name, value]],
  );
  return [
    wrong("query", joined(pairs), "the parameters were not sorted: sort them by name"),
    wrong("query", joined(escaped), says),
    wrong("query", joined(escaped).replaceAll("%20", "+"), says),
    wrong("query", joined(escaped).replaceAll("%2C", ","), says),
    wrong("query", joined(escaped).toLowerCase(), says),
    wrong("query", joined(right.toReversed()), "the parameters were sorted backwards"),
    wrong(
      "query",
      joined(bySpelling(pairs)),
      "the names of the parameters were signed with capitals: sign them in small letters",
    ),
    wrong("query", joined(right).toLowerCase(), "the whole query was put in small letters: only the names are"),
    wrong("query", joined(lists), "the items of a list were joined by a comma and a space: leave the space out"),
    wrong("query", joined(bracketed), "a list was signed item by item: sign it as one value, joined by commas"),
    wrong("query", `?${joined(right)}`, "the query was signed with its question mark"),
    wrong("query", joined(right).replaceAll("&", "&amp;"), "the query was signed with &amp; in place of &"),
    wrong("query", joined(right).replaceAll("&", "\n"), "the parameters were joined by line breaks: join them by &"),
    wrong("query", joined(right).replaceAll("&", ""), "the parameters were joined by nothing: join them by &"),
    wrong("query", `${joined(right)}\n`, "a line break stands at the end of the signed string"),
    wrong("query", `${joined(right)}&`, "an & stands at the end of the signed string"),
  ];
}

function extras(right: readonly Pair[], signature: string): Variant<string>[] {
  const says = "auth_signature was part of what was signed: leave it out";
  return ["", "null", "undefined", signature].map((value) =>
    wrong("query", joined(bySpelling([...right, ["auth_signature", value]])), says),
  );
}

/** Signed with another body_md5 than is sent. */
function bodies({ body }: RequestQuestion, right: readonly Pair[]): Variant<string>[] {
  const sent = right.find(([name]) => name === "body_md5")?.[1];
  const using = (digest: string, mistake: Mistake): Variant<string> => ({
    value: joined(withValue(right, "body_md5", digest)),
    mistake,
  });
  const part = "body_md5";
  const variants = jsonVariants(body, part, "the body").flatMap((variant) =>
    named(variant).map((mistake) => using(md5(variant.value), mistake)),
  );
  const differs = sent === undefined ? "but is not sent" : "but another is sent";
  return [
    ...(sent === md5(body) ? [] : [using(md5(body), { part, says: `the right body_md5 was signed, ${differs}` })]),
    using(md5(body).toUpperCase(), { part, says: "body_md5 was signed in capitals: it has to be small letters" }),
    using(createHash("md5").update(body).digest("base64"), {
      part,
      says: "body_md5 was signed in base64: it has to be hex",
    }),
    using(createHash("sha256").update(body).digest("hex"), {
      part,
      says: "SHA-256 of the body was signed as body_md5",
    }),
    using("", { part, says: "body_md5 was empty when it was signed" }),
    using(md5(""), { part, says: "body_md5 was that of an empty body when it was signed" }),
    ...variants,
  ];
}

function times(right: readonly Pair[]): Variant<string>[] {
  const sent = right.find(([name]) => name === "auth_timestamp")?.[1] ?? "";
  if (!/^\d+$/.test(sent)) return [];
  const using = (value: string, says: string) =>
    wrong("auth_timestamp", joined(withValue(right, "auth_timestamp", value)), says);
  const again = "the time was taken twice: sign the very time that is sent";
  return [
    using(`${sent}000`, "the time was signed in milliseconds: sign the very seconds that are sent"),
    using(
      String(Math.floor(Number(sent) / 1000)),
      "the time was signed in seconds and sent in milliseconds: send the seconds",
    ),
    ...[-2, -1, 1, 2].map((offset) => using(String(Number(sent) + offset), again)),
  ];
}

function missing(right: readonly Pair[]): Variant<string>[] {
  const leftOut = right.map(([name]) => {
    const part = partOf(name);
    return wrong(
      part,
      joined(right.filter(([one]) => one !== name)),
      `${name} is sent, but was not signed: every parameter is`,
    );
  });
  const own = right.filter(([name]) => /^(auth_|body_md5$)/.test(name));
  const says = "only the auth parameters were signed: every parameter of the query is";
  return [
    ...leftOut,
    wrong("query", joined(own), says),
    wrong("query", "", "the query is missing: it is the third line"),
  ];
}

function partOf(name: string): Part {
  switch (name) {
    case "auth_key":
    case "auth_version":
    case "auth_timestamp":
    case "body_md5":
      return name;
    default:
      return "query";
  }
}

function withValue(pairs: readonly Pair[], name: string, value: string): Pair[] {
  return bySpelling([...pairs.filter(([one]) => one !== name), [name, value]]);
}

function bySpelling(pairs: readonly Pair[]): Pair[] {
  return pairs.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function joined(pairs: readonly Pair[]): string {
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
