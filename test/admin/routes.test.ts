/** Every call of the dashboard's API against everybody who might make it. */

import { describe, expect, test } from "bun:test";
import { ROLES, type Role } from "../../packages/server/src/admin/api-types.ts";
import { ROUTES } from "../../packages/server/src/admin/routes.ts";
import { startServer } from "../support/server.ts";
import { type Name, PASSWORDS, SIGNED, signedIn, Visitor } from "./visitor.ts";

const NAMES: Readonly<Record<Name, Role>> = { vera: "view", otto: "operate", anna: "admin" };
const server = await startServer(SIGNED);
const people = new Map<Name | "nobody", Visitor>([["nobody", new Visitor(`${server.url}/dashboard`)]]);
for (const name of Object.keys(PASSWORDS) as Name[]) people.set(name, await signedIn(server.url, name));

/** Nothing is there by these names, so that nothing is done. */
const filled = (path: string) => `api/${path.replace(":app", "no-such-app").replace(":id", "nobody")}`;
const visitor = (name: Name | "nobody") => people.get(name) ?? new Visitor("");
/** What would be done with an empty body, by somebody who may. */
const HARMLESS = { ids: [] };

describe.each(ROUTES.map((entry) => [`${entry.method} ${entry.path}`, entry] as const))("%s", (_, entry) => {
  const { method, path, role } = entry;
  const body = method === "GET" ? undefined : path === "apps" ? { limits: "none" } : HARMLESS;
  const asked = { method, ...(body && { body }) };

  test("nobody who is not signed in may call it", async () => {
    const answer = await visitor("nobody").ask(filled(path), asked);
    expect([answer.status, answer.body]).toEqual([401, { error: { code: "signed_out", message: expect.any(String) } }]);
  });

  test.each(Object.entries(NAMES))("%s, whose role is %s, may or may not, as the table says", async (name, hers) => {
    const may = ROLES.indexOf(role) <= ROLES.indexOf(hers);
    const { status, body: told } = await visitor(name as Name).ask(filled(path), asked);
    const { error } = (told ?? {}) as { error?: { code: string } };
    if (may) expect(["signed_out", "role_too_small", "foreign_page", "internal"]).not.toContain(error?.code ?? "");
    else expect([status, error?.code]).toEqual([403, "role_too_small"]);
  });

  if (method === "GET") return;

  test("another site's page may not, whoever is signed in (scenario 70)", async () => {
    const anna = visitor("anna");
    const foreign = [
      { ...asked, isBare: true },
      { ...asked, headers: { Origin: "https://evil.example" } },
      { ...asked, headers: { Origin: "null" } },
      { ...asked, headers: { Origin: server.url, "Sec-Fetch-Site": "cross-site" } },
      { ...asked, headers: { "Sec-Fetch-Site": "same-site" } },
    ];
    for (const one of foreign) {
      const answer = await anna.ask(filled(path), one);
      expect([answer.status, answer.body]).toMatchObject([403, { error: { code: "foreign_page" } }]);
    }
  });
});

test("a call that there is not, or not by that method, says so", async () => {
  const anna = visitor("anna");
  expect((await anna.ask("api/nothing")).status).toBe(404);
  expect((await anna.ask("api/apps/a/b/c/d/e")).status).toBe(404);
  expect((await anna.ask("api/apps/%ff")).status).toBe(404);
  const answer = await anna.ask("api/overview", { method: "DELETE" });
  expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET"]);
});
