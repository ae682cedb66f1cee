/** The types of the configuration: the schema's own, with the comments that an editor shows on hover. */

import { expect, test } from "bun:test";
import type { z } from "zod";
import type { ConfigInput } from "../../packages/server/src/config/load.ts";
import type { schema } from "../../packages/server/src/config/schema/schema.ts";
import { renderConfigTypes } from "../../scripts/config-types.ts";
import { hover } from "../support/language-server.ts";

type Flat<T> = T extends object ? { readonly [Key in keyof T]: Flat<T[Key]> } : T;
type IsSame<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

test("config-input.ts is what the schema makes of it (else: npm run generate)", async () => {
  const committed = new URL("../../packages/server/src/config/config-input.ts", import.meta.url);
  expect(await Bun.file(committed).text()).toBe(renderConfigTypes());
});

test("its types are those that zod infers", () => {
  const isSame: IsSame<Flat<ConfigInput>, Flat<z.input<typeof schema>>> = true;
  expect(isSame).toBe(true);
});

test("an editor shows on hover what an option is, what it takes and its default, inside objects and lists too", async () => {
  const source = `import { createServer, defineConfig } from "../../packages/server/src/index.ts";
createServer({
  port: 9501,
  limits: { frameBytes: 4096 },
});
defineConfig({
  apps: [{ id: "a", key: "k", secret: "s", channels: [{ match: "a*", cacheTtlS: 1 }] }],
});
`;
  const shown = await hover("test/config/hovered.ts", source, ["port:", "frameBytes:", "id:", "cacheTtlS:"]);
  expect(shown[0]).toContain("Port to listen on; 0 picks a free one.");
  expect(shown[0]).toContain("Takes a whole number from 0 to 65535. Default: `9501`.");
  expect(shown[1]).toContain("Largest frame a client may send, in bytes.");
  expect(shown[2]).toContain("Names the app in the HTTP API");
  expect(shown[3]).toContain("Time a cache channel keeps its last event, in seconds.");
}, 60_000);
