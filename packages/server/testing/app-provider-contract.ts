/** What an app provider has to do: for one that knows at least one app. */

import type { AppProvider } from "../src/apps/provided-apps.ts";
import type { TestRunner } from "./runner.ts";

export interface ProviderUnderTest {
  readonly provider: AppProvider;
  /** An app that the provider knows. */
  readonly known: { readonly id: string; readonly key: string };
}

export function appProviderContract(
  { describe, test, expect }: TestRunner,
  name: string,
  make: () => ProviderUnderTest | Promise<ProviderUnderTest>,
): void {
  describe(`${name} app provider`, () => {
    test("finds the same app by its key and by its id", async () => {
      const { provider, known } = await make();
      const byKey = await provider.byKey(known.key);
      expect(byKey).toMatchObject(known);
      expect(await provider.byId(known.id)).toEqual(byKey);
    });

    test("gives the app a secret", async () => {
      const { provider, known } = await make();
      const { secret, secrets = [secret] } = (await provider.byId(known.id)) ?? {};
      expect(secrets.every((each) => typeof each === "string" && each.length > 0)).toBe(true);
    });

    test("an id is no key, a key no id, and names that no app has are none", async () => {
      const { provider, known } = await make();
      const strangers = ["", "__proto__", "constructor", "'", "%", "*", `${known.id} `, "\u0000", "x".repeat(5_000)];
      if (known.id !== known.key) expect(await provider.byKey(known.id)).toBeUndefined();
      if (known.id !== known.key) expect(await provider.byId(known.key)).toBeUndefined();
      for (const stranger of strangers) {
        expect(await provider.byKey(stranger)).toBeUndefined();
        expect(await provider.byId(stranger)).toBeUndefined();
      }
    });

    test("answers many who ask at once", async () => {
      const { provider, known } = await make();
      const answers = await Promise.all(Array.from({ length: 50 }, async () => await provider.byKey(known.key)));
      expect(answers.map((app) => app?.id)).toEqual(answers.map(() => known.id));
    });
  });
}
