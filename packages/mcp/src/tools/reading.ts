/** Tools that explain: a refused signature, and everything else by the documentation. */

import type { Explanation, Question } from "fanfare/wire/admin";
import { int, object, enum as oneOf, string } from "zod";
import { apiPath, ToolError } from "../admin-client.ts";
import type { Page } from "../docs.ts";
import * as input from "../input.ts";
import { type ToolSpec, tool } from "../tool.ts";

const LONGEST_TEXT = 65_536;
const LONGEST_PAGE_PART = 16_000;

const text = string().max(LONGEST_TEXT).optional();

const explainSignature = tool({
  name: "explain_signature",
  title: "Explain a signature",
  description:
    "Says whether a signature of a back end is right, and if not which part differs: wrong secret, other socket id, channel data written anew, body hash, query order … " +
    "type channel: socketId, channel, channelData for presence, auth (KEY:HEX). type user: socketId, userData, auth. " +
    "type request: method, path with its whole query, body. Takes the role operate.",
  effect: "look",
  input: object({
    app: input.app,
    type: oneOf(["channel", "user", "request"]),
    ...{ socketId: text, channel: text, channelData: text, userData: text, auth: text },
    ...{ method: text, path: text, body: text },
  }),
  run: async ({ app, type, ...given }, { admin }) => {
    const { id } = await input.appIn(admin, app);
    const question = { type, ...pick(given, PARTS[type]) };
    return admin.call<Explanation>("POST", apiPath(["apps", id, "explain"]), question);
  },
});

/** What each question takes, and whether it has to be there. */
const PARTS: Readonly<Record<Question["type"], Readonly<Record<string, "required" | "optional">>>> = {
  channel: { socketId: "required", channel: "required", channelData: "optional", auth: "optional" },
  user: { socketId: "required", userData: "required", auth: "optional" },
  request: { method: "required", path: "required", body: "optional" },
};

function pick(
  given: Readonly<Record<string, string | undefined>>,
  parts: Readonly<Record<string, "required" | "optional">>,
): Readonly<Record<string, string>> {
  const missing = Object.keys(parts).filter((part) => parts[part] === "required" && given[part] === undefined);
  if (missing.length > 0) throw new ToolError(`this type of signature needs ${missing.join(" and ")} as well`);
  const foreign = Object.keys(given).filter((part) => given[part] !== undefined && !(part in parts));
  if (foreign.length > 0) throw new ToolError(`this type of signature has no ${foreign.join(" and no ")}`);
  const named = Object.keys(parts).flatMap((part) => {
    const value = given[part] ?? (part === "body" ? "" : undefined);
    return value === undefined ? [] : [[part, value] as const];
  });
  return Object.fromEntries(named);
}

const searchDocs = tool({
  name: "search_docs",
  title: "Search the documentation",
  description:
    "Sections of Fanfare's documentation that have these words: settings, protocols, client library, error codes, migration from other servers.",
  effect: "look",
  input: object({ query: string().min(1).max(200), limit: input.limit(6, 20) }),
  run: async ({ query, limit }, { docs }) => {
    const matches = docs.search(query, limit);
    if (matches.length > 0) return matches;
    throw new ToolError(`the documentation has none of these words: ${query}`);
  },
});

const readDocs = tool({
  name: "read_docs",
  title: "Read the documentation",
  description: "A page of the documentation, or one section of it with those below. Long pages come in parts.",
  effect: "look",
  input: object({
    page: input.name.describe("As search_docs names it: operating.md"),
    heading: input.name.optional().describe("As search_docs names it: Dashboard > Roles"),
    offset: int().min(0).default(0).describe("Go on from here: the number that the part before gave."),
  }),
  run: async ({ page, heading, offset }, { docs }) => {
    const { pages } = docs;
    const found = pages.get(page.replace(/^(?:fanfare:\/\/)?docs\//, ""));
    if (!found) throw new ToolError(`there is no such page: there are ${[...pages.keys()].join(", ")}`);
    return partOf(heading === undefined ? found.text : sectionOf(found, heading), offset);
  },
});

function sectionOf({ path, sections }: Page, heading: string): string {
  const found = sections.filter((one) => one.heading === heading || one.heading.startsWith(`${heading} > `));
  if (found.length > 0) return found.map((one) => `## ${one.heading}\n\n${one.text}`).join("\n\n");
  const known = sections.map((one) => one.heading).slice(0, 100);
  throw new ToolError(`${path} has no section ${JSON.stringify(heading)}: it has ${known.join("; ")}`);
}

function partOf(whole: string, offset: number): string {
  const end = offset + LONGEST_PAGE_PART;
  const part = whole.slice(offset, end).toWellFormed();
  return end < whole.length ? `${part}\n\n[${whole.length - end} characters are left: go on with offset ${end}]` : part;
}

export const READING: readonly ToolSpec[] = [explainSignature, searchDocs, readDocs];
