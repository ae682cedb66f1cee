/** The documentation of the settings says what the table says. */

import { expect, test } from "bun:test";
import { renderDocumentation } from "../../packages/server/src/config/document.ts";
import { settings } from "../../packages/server/src/config/settings.ts";

test("docs/configuration.md is what the table makes of it (else: bun packages/server/src/config/document.ts --write)", async () => {
  const committed = await Bun.file(new URL("../../docs/configuration.md", import.meta.url)).text();
  expect(committed).toBe(renderDocumentation());
});

test("every setting is documented with a sentence, its environment name and its default", () => {
  const text = renderDocumentation();
  for (const { env, kind, facts } of settings) {
    expect(facts.description).toEndWith(".");
    if (kind !== "object") expect(text).toContain(`\`${env}\``);
  }
});
