/**
 * Brings the tables of docs/configuration.md up to date with the schema: `npm run generate`. What is
 * between `<!-- settings PATH -->` and `<!-- end -->` is generated, the rest is written by hand. A test fails when it is stale.
 */

import {
  type ForeignVariable,
  foreignServers,
  foreignVariables,
  ignoredVariables,
  TLS_SWITCH,
} from "../packages/server/src/config/environment/foreign-variables.ts";
import { encodeUnlimited } from "../packages/server/src/config/parse-value.ts";
import { root, type Setting, settingsByPath } from "../packages/server/src/config/settings.ts";

export const DOCUMENT = new URL("../docs/configuration.md", import.meta.url);

const BLOCK = /(<!-- (settings|variables|ignored) ?(.*?) -->\n)[\s\S]*?(\n?<!-- end -->)/g;

/** The document with its generated parts as the schema has them now. */
export function renderDocumentation(document: string): string {
  return document.replaceAll(BLOCK, (_all, start: string, kind: string, subject: string) => {
    return `${start}\n${generated(kind, subject)}\n\n<!-- end -->`;
  });
}

function generated(kind: string, subject: string): string {
  if (kind === "settings") return settingsTable(subject);
  if (kind === "ignored") return ignoredTable();
  const server = foreignServers.find(({ title }) => title === subject);
  if (server === undefined) throw new Error(`no server is called ${subject}`);
  return variablesTable(server.variables);
}

/** What an object is, or a list of them, and what is in it. Settings inside lists have no variable of their own. */
function settingsTable(path: string): string {
  const setting = path === "" ? root : settingsByPath.get(path);
  if (setting === undefined) throw new Error(`there is no setting ${path}`);
  const fields = [...(setting.element?.fields ?? setting.fields).values()];
  const isInList = fields.some(({ env }) => env === "");
  // Objects outside lists have sections of their own, and so do the apps.
  const shown = fields.filter((field) => isInList || (field.kind !== "object" && field.path !== "apps"));
  const rows = shown.map((field) => [
    `\`${field.key}\``,
    defaultText(field),
    field.description,
    field.expects,
    ...(isInList ? [] : [variablesOf(field).join(", ")]),
  ]);
  const head = ["Key", "Default", "What it is", "Takes", ...(isInList ? [] : ["Environment"])];
  return `${setting.description}\n\n${table(head, rows)}`.trimStart();
}

/** Variables that hold something else than the setting takes are listed with what becomes of it. */
function variablesOf({ env, path }: Setting): string[] {
  const same = foreignVariables.filter((variable) => variable.path === path && variable.conversion === undefined);
  return [env, ...same.map(({ name }) => name)].map((name) => `\`${name}\``);
}

function defaultText({ defaultValue }: Setting): string {
  return defaultValue === undefined ? "" : `\`${JSON.stringify(defaultValue, encodeUnlimited)}\``;
}

function variablesTable(variables: readonly ForeignVariable[]): string {
  const rows = variables.map(({ name, path, conversion, note }) => {
    const how = [conversion?.description, note].filter((text) => text !== undefined).join("; ");
    return [`\`${name}\``, `\`${path}\``, how];
  });
  if (variables.some(({ name }) => name.startsWith(TLS_SWITCH))) rows.push([`\`${TLS_SWITCH}\``, "`tls`", TLS]);
  return table(["Name", "Setting", "How"], rows);
}

const TLS =
  "`false` leaves TLS out, whatever the file and the certificate's names here say; `true` refuses to start without a certificate";

function ignoredTable(): string {
  const rows = ignoredVariables.map(({ names, why }) => [names.map((name) => `\`${name}\``).join(", "), why]);
  return table(["Name", "Why"], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const escaped = rows.map((cells) => cells.map((cell) => cell.replaceAll("|", "\\|")));
  return [head, head.map(() => "---"), ...escaped].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

if (import.meta.main) {
  const document = renderDocumentation(await Bun.file(DOCUMENT).text());
  if (process.argv.includes("--write")) await Bun.write(DOCUMENT, document);
  else process.stdout.write(document);
}
