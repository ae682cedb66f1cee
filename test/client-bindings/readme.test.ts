/** The chat of the package's README, made from its text alone: presence, what others wrote before, and nothing lost while offline. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { openBrowser, openPage } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/ports.ts";
import { spawnCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

setDefaultTimeout(120_000);

const ROOT = join(import.meta.dir, "..", "..");
const PATIENCE = { withinMs: 30_000, everyMs: 50 };

/** As `npm install` makes it, with the packages of this checkout in place of their files. */
async function makeFolder(): Promise<string> {
  const folder = temporaryFolder();
  const ports = await freePorts(2);
  const readme = await Bun.file(join(ROOT, "packages/client/README.md")).text();
  const [, chat = ""] = readme.split("## A chat in React, from an empty folder\n");
  const blocks = [...chat.matchAll(/```(?:ts|html|tsx)\n([\s\S]*?)```/g)].map(([, text = ""]) =>
    text.replaceAll("9501", String(ports[0])).replaceAll("8080", String(ports[1])),
  );
  for (const [index, name] of ["server.ts", "index.html", "page.tsx"].entries())
    await Bun.write(join(folder, name), blocks[index] ?? "");
  const { compilerOptions } = (await import(join(ROOT, "tsconfig.json"))).default;
  const paths = Object.entries<string[]>(compilerOptions.paths).map(([name, [file = ""]]) => [
    name,
    [join(ROOT, file)],
  ]);
  const options = { jsx: "react-jsx", paths: Object.fromEntries(paths) };
  await Bun.write(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options }));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

test("two people chat; what is written while one is offline arrives once, in order, and who comes later reads it", async () => {
  const cwd = await makeFolder();
  const server = spawnCli([join(cwd, "server.ts")], { program: [process.execPath], cwd });
  const [, url = ""] = await server.prints(/(http:\/\/localhost:\d+\/)\?user=ada/);
  const browser = await openBrowser();
  const visit = async (user: string) => (await openPage(browser, `${url}?user=${user}`)).page;
  const [ada, bob] = [await visit("ada"), await visit("bob")];
  const say = async (page: typeof ada, text: string) => {
    await page.fill("[name=text]", text);
    await page.press("[name=text]", "Enter");
  };
  for (const page of [ada, bob]) {
    await eventually(
      async () => expect(await page.textContent("p")).toMatch(/^connected, here: (ada, bob|bob, ada)$/),
      PATIENCE,
    );
  }
  await say(ada, "one");
  await eventually(async () => expect(await bob.locator("li").allTextContents()).toEqual(["ada: one"]), PATIENCE);
  await bob.context().setOffline(true);
  await say(ada, "two");
  await say(bob, "three");
  await eventually(async () => expect(await ada.locator("li").count()).toBe(2), PATIENCE);
  await bob.context().setOffline(false);
  const all = ["ada: one", "ada: two", "bob: three"];
  const late = await visit("cyd");
  await eventually(async () => {
    const [hers = [], ...others] = await Promise.all(
      [ada, bob, late].map((page) => page.locator("li").allTextContents()),
    );
    expect(hers.toSorted()).toEqual(all.toSorted());
    // In one order for all.
    expect(others).toEqual([hers, hers]);
  }, PATIENCE);
});
