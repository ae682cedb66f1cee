/** What `fanfare sign request` finds out, without the command line round it. */

import { describe, expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";
import {
  authParameters,
  explainRequest,
  type RequestQuestion,
} from "../../../../packages/server/src/protocols/pusher/explain/request.ts";
import { app, key, neighbour, secret } from "./apps.ts";

const body = '{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}';
const bodyMd5 = "ec365a775a4cd0599faeb73354201b6f";
const timestamp = "1353088179";
const path = "/apps/3/events";
const nowMs = 1_353_088_179_000;

const md5 = (text: string) => createHash("md5").update(text).digest("hex");
const hex = (text: string, by = secret) => createHmac("sha256", by).update(text).digest("hex");

const sent = { auth_key: key, auth_timestamp: timestamp, auth_version: "1.0", body_md5: bodyMd5 };

function ask(query: Readonly<Record<string, string>>, change: Partial<RequestQuestion> = {}) {
  const question = { app, others: [neighbour], method: "POST", path, otherPaths: [], body, nowMs, windowS: 600 };
  return explainRequest({ ...question, query: new URLSearchParams(query), ...change });
}

/** The findings for a request whose signature was made of this text. */
function findings(
  signed: string,
  {
    query = sent,
    change = {},
    by = secret,
  }: { query?: Record<string, string>; change?: Partial<RequestQuestion>; by?: string } = {},
): string[] {
  const { verdict } = ask({ ...query, auth_signature: hex(signed, by) }, change);
  expect(verdict?.accepted).toBe(false);
  return verdict?.findings.map(({ part, says }) => `${part}: ${says}`) ?? [];
}

const joined = (query: Readonly<Record<string, string>>) =>
  Object.entries(query)
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
const right = joined(sent);

describe("the protocol's test vector", () => {
  const signature = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c";

  test("gives its string and its signature", () => {
    expect(ask(sent)).toEqual({ text: `POST\n${path}\n${right}`, signature });
  });

  test("is accepted", () => {
    expect(ask({ ...sent, auth_signature: signature }).verdict).toEqual({ accepted: true, findings: [], notes: [] });
  });

  test("is what the missing parameters are completed to", () => {
    const completed = authParameters(app, new URLSearchParams(), body, nowMs);
    expect(Object.fromEntries(completed)).toEqual(sent);
    expect([...authParameters(app, new URLSearchParams("a=b"), "", nowMs).keys()]).toEqual([
      "a",
      "auth_key",
      "auth_timestamp",
      "auth_version",
    ]);
  });
});

describe("a string that is not the right one:", () => {
  const { body_md5: _, ...withoutMd5 } = sent;
  const unsorted = { body_md5: bodyMd5, auth_version: "1.0", auth_key: key, auth_timestamp: timestamp };
  test.each([
    ["lower-case method", `post\n${path}\n${right}`, "method: the method was signed as post: it has to be POST"],
    ["another method", `GET\n${path}\n${right}`, "method: the method was signed as GET, but sent as POST"],
    [
      "slash at the end",
      `POST\n${path}/\n${right}`,
      "path: the path was signed with a slash at its end: sign it as it is called",
    ],
    [
      "path without the app",
      `POST\n/events\n${right}`,
      "path: the path was signed without /apps/3: sign the whole path",
    ],
    [
      "key in place of id",
      `POST\n/apps/${key}/events\n${right}`,
      "path: the path was signed with the app's key: it has to have its id",
    ],
    [
      "backslash n",
      `POST\\n${path}\\n${right}`,
      "form: the parts are parted by a backslash and an n: it has to be a line break (in PHP, within double quotes)",
    ],
    ["CR LF", `POST\r\n${path}\r\n${right}`, "form: the lines end in CR LF: it has to be LF alone"],
    [
      "auth_signature included",
      `POST\n${path}\nauth_key=${key}&auth_signature=&${right.slice(right.indexOf("auth_timestamp"))}`,
      "query: auth_signature was part of what was signed: leave it out",
    ],
    [
      "body_md5 left out",
      `POST\n${path}\n${joined(withoutMd5)}`,
      "body_md5: body_md5 is sent, but was not signed: every parameter is",
    ],
    [
      "milliseconds",
      `POST\n${path}\n${right.replace(timestamp, `${timestamp}000`)}`,
      "auth_timestamp: the time was signed in milliseconds: sign the very seconds that are sent",
    ],
    [
      "time taken twice",
      `POST\n${path}\n${right.replace(timestamp, String(Number(timestamp) - 1))}`,
      "auth_timestamp: the time was taken twice: sign the very time that is sent",
    ],
    [
      "body alone",
      body,
      "form: the body alone was signed, as a webhook's is: an API request signs method, path and query",
    ],
    [
      "body behind",
      `POST\n${path}\n${right}\n${body}`,
      "form: the body was put behind the signed string: only its MD5 belongs there, as body_md5",
    ],
  ])("%s", (_name, signed, finding) => {
    expect(findings(signed)).toEqual([finding]);
  });

  test("unsorted parameters", () => {
    expect(findings(`POST\n${path}\n${joined(unsorted)}`, { query: unsorted })).toEqual([
      "query: the parameters were not sorted: sort them by name",
    ]);
  });

  test("values URL-escaped", () => {
    const query = { auth_key: key, auth_timestamp: timestamp, auth_version: "1.0", filter_by_prefix: "a b/c" };
    const escaped = joined({ ...query, filter_by_prefix: "a%20b%2Fc" });
    const change = { method: "GET", path: "/apps/3/channels", body: "" };
    expect(findings(`GET\n/apps/3/channels\n${escaped}`, { query, change })).toEqual([
      "query: the values were signed URL-escaped: sign them as they are",
    ]);
    expect(
      findings(`GET\n/apps/3/channels\n${joined({ ...query, filter_by_prefix: "a+b%2Fc" })}`, { query, change }),
    ).toHaveLength(1);
  });

  test("a prefix left out, where the server does not know of one that may be", () => {
    expect(findings(`POST\n${path}\n${right}`, { change: { path: `/ws${path}` } })).toEqual([
      `path: the path was signed without its prefix: sign /ws${path}, as it is called`,
    ]);
  });

  test("but a prefix that the server knows of is no mistake", () => {
    const query = { ...sent, auth_signature: hex(`POST\n/ws${path}\n${right}`) };
    expect(ask(query, { otherPaths: [`/ws${path}`] }).verdict?.accepted).toBe(true);
  });

  test("two mistakes at once are both named, and the string is shown", () => {
    const signed = `post\n${path}/\n${right}`;
    const { verdict } = ask({ ...sent, auth_signature: hex(signed) });
    expect(verdict?.findings.map(({ part }) => part)).toEqual(["method", "path"]);
    expect(verdict?.signedText).toBe(signed);
  });

  test("what no usual mistake explains is said to be so", () => {
    expect(findings("something else")).toEqual([expect.stringMatching(/^unknown: none of the usual mistakes/)]);
  });

  test("another app's secret", () => {
    expect(findings(`POST\n${path}\n${right}`, { by: "neighbours-secret" })).toEqual([
      "secret: the secret is that of another app, neighbour: use that of 3",
    ]);
  });
});

describe("a parameter that is wrong however it was signed:", () => {
  const { auth_version: _v, ...withoutVersion } = sent;
  const { body_md5: _b, ...withoutMd5 } = sent;
  const spaced = '{"name": "foo", "channels": ["project-3"], "data": "{\\"some\\":\\"data\\"}"}';
  test.each<[string, Record<string, string>, string]>([
    [
      "time in ms",
      { ...sent, auth_timestamp: `${timestamp}000` },
      "auth_timestamp: auth_timestamp is in milliseconds: it has to be in seconds",
    ],
    [
      "time with fraction",
      { ...sent, auth_timestamp: `${timestamp}.5` },
      "auth_timestamp: auth_timestamp has a fraction: it has to be whole seconds",
    ],
    [
      "old time",
      { ...sent, auth_timestamp: "1353087000" },
      "auth_timestamp: auth_timestamp is 1179 s old, and 600 s are allowed",
    ],
    [
      "local time",
      { ...sent, auth_timestamp: String(Number(timestamp) + 7200) },
      "auth_timestamp: auth_timestamp is 7200 s ahead of this clock, and 600 s are allowed, which is just about 2 h: it may be local time instead of UTC",
    ],
    ["no version", withoutVersion, "auth_version: auth_version is missing: it is 1.0"],
    [
      "other app's key",
      { ...sent, auth_key: "neighbours-key" },
      `auth_key: auth_key is that of another app, neighbour: that of 3 is ${key}`,
    ],
    ["id as key", { ...sent, auth_key: "3" }, `auth_key: auth_key is the app's id: it has to be its key, ${key}`],
    ["no digest", withoutMd5, `body_md5: body_md5 is missing, and the body is not empty: it is ${bodyMd5}`],
    [
      "digest in capitals",
      { ...sent, body_md5: bodyMd5.toUpperCase() },
      "body_md5: body_md5 is written in capitals: it has to be small letters",
    ],
    [
      "digest of no body",
      { ...sent, body_md5: md5("") },
      "body_md5: body_md5 is that of an empty body: take it of the body that is sent",
    ],
    [
      "digest of a re-serialised body",
      { ...sent, body_md5: md5(spaced) },
      "body_md5: the body was signed in another spelling than it was sent: a space after each comma and colon; sign the very text that is sent, do not write it again",
    ],
    [
      "digest of another body",
      { ...sent, body_md5: md5("x") },
      `body_md5: body_md5 is ${md5("x")}, but that of this body is ${bodyMd5}: it was made of another text`,
    ],
  ])("%s", (_name, query, finding) => {
    const sorted = Object.fromEntries(Object.entries(query).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    expect(findings(`POST\n${path}\n${joined(sorted)}`, { query })).toEqual([finding]);
  });

  test("a parameter that is given twice, or written in capitals", () => {
    const twice = new URLSearchParams({ ...sent, auth_signature: hex(`POST\n${path}\n${right}`) });
    twice.append("auth_key", key);
    const { verdict } = ask({}, { query: twice });
    expect(verdict?.findings.map(({ says }) => says)).toContain("the parameter auth_key is given twice");
    const { auth_key: _, ...rest } = sent;
    const capitals = { Auth_Key: key, ...rest };
    expect(findings(`POST\n${path}\n${right}`, { query: capitals }).join()).toContain("written in small letters");
  });
});

test("even the longest search is over soon", () => {
  const large = JSON.stringify({ name: "foo", channels: ["a"], data: "x".repeat(10_000) });
  const query = {
    ...sent,
    body_md5: md5(large),
    info: "user_count",
    filter: "a b",
    auth_signature: hex("something else"),
  };
  const before = performance.now();
  expect(ask(query, { body: large }).verdict?.accepted).toBe(false);
  expect(performance.now() - before).toBeLessThan(10_000);
});
