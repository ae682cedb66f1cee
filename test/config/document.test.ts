/** The documentation and the types of the settings say what the schema says. */

import { expect, test } from "bun:test";
import { settings, settingsByPath } from "../../packages/server/src/config/settings.ts";
import { DOCUMENT, renderDocumentation } from "../../scripts/config-docs.ts";

const committed = await Bun.file(DOCUMENT).text();

test("docs/configuration.md is what the schema makes of it (else: npm run generate)", () => {
  expect(committed).toBe(renderDocumentation(committed));
});

test("every setting is documented with a sentence, its environment name and its default", () => {
  for (const { env, kind, description } of settings) {
    expect(description).toEndWith(".");
    if (kind !== "object") expect(committed).toContain(`\`${env}\``);
  }
});

test("every list and object with settings in it has a table", () => {
  const inTables = new Set([...committed.matchAll(/<!-- settings (\S*) ?-->/g)].map(([, path]) => path));
  for (const { path, kind, fields, element } of settingsByPath.values()) {
    // An app's channel rules, limits and recovery are those of the defaults.
    const isOfDefaults = path === "apps[].limits" || path === "apps[].recovery";
    const isElsewhere = path.endsWith("[]") || path.startsWith("apps[].channels") || isOfDefaults;
    const isFlat = kind === "value" || (fields.size === 0 && (element?.fields.size ?? 0) === 0);
    if (!isFlat && !isElsewhere) expect(inTables).toContain(path);
  }
});
