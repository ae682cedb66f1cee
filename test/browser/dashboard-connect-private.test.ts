/** A private channel by Connect alone: each program of a back end that the page shows is run as it is, and says who may listen. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { atEnd } from "../support/at-end.ts";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { openLaravelPage } from "../support/laravel-page.ts";
import { freePort } from "../support/ports.ts";
import type { CliProcess } from "../support/process.ts";
import { APP } from "../support/server.ts";
import { copied, copiedSecret, laravel, lights, newProject, run, runBy } from "./connecting.ts";
import { look, PATIENCE_MS, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";
import { startDemo } from "./visit.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();
const ALL_ON = [
  "The server can be reached",
  "First connection",
  "First subscription",
  "A back end has published",
  "A client has received it",
];

test("from nothing to an event in a private channel, by clicking: each light turns on", async () => {
  const server = await startDemo();
  const { page, errors, violations } = await look(browser, server, { place: "connect" });
  await page.getByRole("button", { name: "Private channel" }).click();
  const secret = await copiedSecret(page);
  const back = await freePort();
  const here = (code: string) => code.replaceAll(/\b3000\b/g, String(back));
  const client = run(here(await copied(page, "Connect", "pusher-js")));
  await lights(page, ALL_ON.slice(0, 2));
  await shows(page, ".lights", "once the back end of step 3 has permitted it");
  await client.prints(/AuthError|error/i);
  await client.kill();

  await permits(run(here(await copied(page, "Permit", "Node")), { FANFARE_SECRET: secret }), back);
  const again = run(here(await copied(page, "Connect", "pusher-js")));
  await lights(page, ALL_ON.slice(0, 3));
  const published = run(await copied(page, "Publish", "Node"), { FANFARE_SECRET: secret });
  expect([(await published.ended()).code, published.output]).toEqual([0, ""]);
  await lights(page, ALL_ON);
  await shows(page, "#working + [role=status]", "All set");
  await eventually(() => expect(again.stdout).toContain("Hello"));
  expect(again.stderr).toBe("");
  expect([errors, await violations()]).toEqual([[], []]);

  await page.reload();
  expect(await copied(page, "Connect", "pusher-js")).toContain("private-my-channel");
});

/** What the page shows for each, and what runs it. */
const BACK_ENDS: Readonly<Record<string, (code: string, port: number) => CliProcess>> = {
  Node: (code) => runBy(["node"], code, "mjs", SECRET),
  Express: (code) => runBy(["node"], code, "mjs", SECRET),
  PHP: (code, port) => runBy([external("php"), "-S", `localhost:${port}`], code, "php", SECRET),
  Python: (code) => runBy([external("python3")], code, "py", SECRET),
  Go: (code) => runBy([external("go"), "run"], code, "go", { ...SECRET, GOFLAGS: "-mod=mod", GO111MODULE: "off" }),
};
const SECRET = { FANFARE_SECRET: "second-secret" };
const CLIENTS = ["pusher-js", "Fanfare client", "WebSocket"];

test("every back end's program permits its channel, and nothing else, to every client", async () => {
  const apps = [APP, { id: "second", key: "second-key", secret: "second-secret", anonymous: true }];
  const server = await startWithDashboard({ apps });
  const { page } = await look(browser, server, { place: "connect?app=second&channel=private" });
  for (const [tab, start] of Object.entries(BACK_ENDS)) {
    const port = await freePort();
    const here = (code: string) => code.replaceAll(/\b3000\b/g, String(port));
    await permits(start(here(await copied(page, "Permit", tab)), port), port);
    // Each client against the first; the others answer the same.
    for (const name of tab === "Node" ? CLIENTS : CLIENTS.slice(0, 1)) {
      const client = run(here(await copied(page, "Connect", name)));
      const text = `${tab} for ${name}`;
      await eventually(
        async () => {
          const channel = server.app("second").toChannel("private-my-channel");
          await channel.push({ event: "my-event", data: { text } });
          expect(client.stdout).toContain(text);
        },
        { withinMs: PATIENCE_MS, everyMs: 100 },
      );
      expect(client.stderr).toBe("");
      await client.kill();
    }
  }
});

test("the lines for Laravel open a private channel to the page of a user who is logged in, and to nobody else", async () => {
  const server = await startWithDashboard({ apps: [APP] });
  const { page } = await look(browser, server, { place: "connect?channel=private" });
  await copiedSecret(page);
  const { cwd, php, runCode } = laravel(await copied(page, "Connect", "Laravel"));
  writeFileSync(join(cwd, "routes", "channels.php"), `<?php\n\n${await copied(page, "Permit", "Laravel")}\n`);
  const script = join(newProject(), "echo.js");
  writeFileSync(script, await copied(page, "Connect", "Laravel Echo"));
  const built = await Bun.build({ entrypoints: [script], target: "browser" });
  writeFileSync(join(cwd, "page.js"), (await built.outputs[0]?.text()) ?? "");
  const site = await openLaravelPage(browser, cwd, php);
  expect(await site.ask()).toBe(403);
  await site.login();
  expect(await site.ask()).toBe(200);
  await lights(page, ALL_ON.slice(0, 3));
  const [, code = ""] = /--execute='(.*)'$/s.exec(await copied(page, "Publish", "Laravel")) ?? [];
  const program = runCode(code);
  expect([(await program.ended()).code, program.output]).toEqual([0, ""]);
  await lights(page, ALL_ON);
  await eventually(() => expect(site.said.join()).toContain("Hello"));
});

const READERS: Readonly<Record<string, () => readonly [ending: string, program: [string, ...string[]]]>> = {
  PHP: () => ["php", [external("php"), "-l"]],
  Python: () => ["py", [external("python3"), "-m", "py_compile"]],
  Go: () => ["go", [external("gofmt"), "-e", "-l"]],
};

test.each(Object.entries(READERS))("what publishes in %s by Pusher's library can be read", async (tab, reader) => {
  const server = await startWithDashboard({ apps: [APP] });
  const { page } = await look(browser, server, { place: "connect" });
  const [ending, program] = reader();
  const code = await copied(page, "Publish", tab);
  const read = async (text: string) => (await runBy(program, text, ending, {}).ended()).code;
  expect([await read(code), (await read(`${code}\n)`)) !== 0]).toEqual([0, true]);
});

/** It is there, lets its channel pass, and refuses what it does not know. */
async function permits(backEnd: CliProcess, port: number): Promise<void> {
  atEnd(() => backEnd.kill());
  const ask = async (socket_id: string, channel_name: string, path = "/pusher/auth") => {
    const body = new URLSearchParams({ socket_id, channel_name });
    return (await fetch(`http://localhost:${port}${path}`, { method: "POST", body })).status;
  };
  await eventually(async () => expect(await ask("1.2", "private-my-channel")).toBe(200), { withinMs: PATIENCE_MS });
  expect(await ask("1.2", "private-other")).toBe(403);
  expect(await ask("1.2:private-other", "private-my-channel")).toBe(403);
}
