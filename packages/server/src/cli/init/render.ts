/** Writes a new configuration file: every setting with its sentence, at its default and commented out, and one app. */

import { encodeUnlimited } from "../../config/parse-value.ts";
import type { FORMATS } from "../command-spec.ts";
import { defaultValues, type Entry, type NewApp, outline } from "./outline.ts";

export type Format = (typeof FORMATS)[number];

/** The whole file. Without `withApp`, the app is only shown. */
export function render(format: Format, app: NewApp, withApp = true): string {
  const entries = outline(app, withApp);
  switch (format) {
    case "ts":
      return typescript(entries);
    case "json":
      return json(withApp ? [app] : []);
    case "yaml":
      return [...header("#"), "", ...spaced(entries.map(yamlEntry)), ""].join("\n");
    case "toml":
      return [...header("#"), "", ...toml(entries), ""].join("\n");
  }
}

function header(mark: string): string[] {
  const lines = [
    `Fanfare's configuration. A line that begins with \`${mark}\` and no space is a setting that is not set: take the \`${mark}\``,
    "away to change it. `fanfare config check` says whether all is well; docs/configuration.md says more of each.",
    "This file holds a secret: keep it out of version control, or take the app out and set PUSHER_APP_ID, PUSHER_APP_KEY",
    "and PUSHER_APP_SECRET in the environment.",
  ];
  return lines.map((line) => `${mark} ${line}`);
}

// ---- TypeScript

function typescript(entries: readonly Entry[]): string {
  const head = [...header("//"), "", 'import type { ConfigInput } from "fanfare";', "", "export default {"];
  const body = spaced(entries.map(typescriptEntry)).map(indented);
  return [...head, ...body, "} satisfies ConfigInput;", ""].join("\n");
}

function typescriptEntry(entry: Entry): string[] {
  const { content, setting } = entry;
  const { key } = setting;
  const inside = content.type === "value" ? [] : content.entries.flatMap(typescriptEntry);
  const lines = {
    value: () => [`${key}: ${content.type === "value" ? written(content.value) : ""},`],
    group: () => [`${key}: {`, ...inside.map(indented), "},"],
    list: () => [`${key}: [`, "  {", ...inside.map(indented).map(indented), "  },", "],"],
  }[content.type]();
  return [...comment(entry, "//"), ...(entry.isSet ? lines : lines.map((line) => `//${line}`))];
}

// ---- YAML

/** A group that has nothing set in it would be null, so it is commented out as a whole, with its settings in it. */
function yamlEntry(entry: Entry): string[] {
  return [...comment(entry, "#"), ...(yamlIsSet(entry) ? yamlLines(entry, false) : off(yamlLines(entry, true)))];
}

function yamlIsSet({ isSet, content }: Entry): boolean {
  return isSet && (content.type === "value" || content.entries.some(yamlIsSet));
}

function yamlLines({ setting: { key }, content }: Entry, isOff: boolean): string[] {
  if (content.type === "value") return [`${key}: ${written(content.value)}`];
  const shown = content.entries.map((entry) => yamlInside(entry, isOff));
  if (content.type === "group") return [`${key}:`, ...shown.flat().map(indented)];
  const lines = shown.flat();
  const first = lines.findIndex((line) => !line.startsWith("#"));
  const items = lines.map((line, index) => (index === first ? `- ${line}` : `  ${line}`));
  return [`${key}:`, ...items.map(indented)];
}

/** Inside what is commented out, what has a default needs no second mark. */
function yamlInside(entry: Entry, isOff: boolean): string[] {
  const isShown = yamlIsSet(entry) || (isOff && entry.isDefault && entry.content.type !== "list");
  const lines = yamlLines(entry, isOff || !isShown);
  return [...comment(entry, "#"), ...(isShown ? lines : off(lines))];
}

// ---- TOML

/**
 * Tables come after the values of what they are in, so groups are put behind. In a table that is commented out, what it
 * can do without has a mark more: with one, it would fall to the table above when its own mark is taken away alone.
 */
function toml(entries: readonly Entry[]): string[] {
  const top = entries.filter(({ content }) => content.type === "value");
  return [...spaced(top.map((entry) => tomlValue(entry, 0))), ...tomlTables(entries, "", 0)];
}

function tomlTables(entries: readonly Entry[], prefix: string, marks: number): string[] {
  return entries.flatMap((entry) => {
    const { content, setting } = entry;
    const { key } = setting;
    if (content.type === "value") return [];
    const path = `${prefix}${key}`;
    const all = marks + (entry.isSet ? 0 : 1);
    const head = content.type === "list" ? `[[${path}]]` : `[${path}]`;
    const values = content.entries.flatMap((inner) => tomlValue(inner, all));
    return ["", ...comment(entry, "#"), marked(head, all), ...values, ...tomlTables(content.entries, `${path}.`, all)];
  });
}

function tomlValue(entry: Entry, marks: number): string[] {
  const { content, isSet, setting } = entry;
  const { key } = setting;
  if (content.type !== "value") return [];
  const isObject = typeof content.value === "object" && !Array.isArray(content.value);
  const line = `${key} = ${isObject ? "{}" : written(content.value)}`;
  return [...comment(entry, "#"), marked(line, marks + (isSet ? 0 : 1))];
}

function marked(line: string, marks: number): string {
  return `${"#".repeat(marks)}${line}`;
}

// ---- JSON

/** Has no comments, so that every setting is there with its default. */
function json(apps: readonly NewApp[]): string {
  const own = apps.map(({ id, name, key, secret }) => ({ id, name, key, secret }));
  return `${JSON.stringify({ ...defaultValues(), apps: own }, encodeUnlimited, 2)}\n`;
}

// ---- shared

const WIDTH = 108;

/** The sentence of a setting, and what it takes. */
function comment({ setting, content }: Entry, mark: string): string[] {
  const takes = content.type === "value" ? ` Takes ${setting.expects}.` : "";
  const lines: string[] = [];
  let line = "";
  for (const word of `${setting.description}${takes}`.split(" ")) {
    if (line !== "" && line.length + word.length >= WIDTH) {
      lines.push(line);
      line = "";
    }
    line += `${line === "" ? "" : " "}${word}`;
  }
  return [...lines, line].map((text) => `${mark} ${text}`);
}

function written(value: unknown): string {
  return JSON.stringify(value, encodeUnlimited);
}

function off(lines: readonly string[]): string[] {
  return lines.map((line) => `#${line}`);
}

function indented(line: string): string {
  return line === "" ? "" : `  ${line}`;
}

function spaced(blocks: readonly string[][]): string[] {
  return blocks.flatMap((block, index) => (index === 0 ? block : ["", ...block]));
}
