/** Connecting an app, as somebody does who has nothing yet: the code on the page is copied and run as it is, and the lights say so. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { APP, socketUrl } from "../support/server.ts";
import { connect } from "../support/socket.ts";
import { copied, copiedSecret, laravel, lights, run, shell } from "./connecting.ts";
import { look, openPageOf, PATIENCE_MS, shows, startWithDashboard, TEST_MS } from "./dashboard.ts";
import { startDemo, visit } from "./visit.ts";

setDefaultTimeout(TEST_MS);

const ROOT = join(import.meta.dir, "..", "..");
const PICTURES = join(ROOT, "docs", "images");

const browser = await openBrowser();
external("curl");
external("openssl");

test("from nothing to an event that arrives, with the demo app: each light turns on as it happens", async () => {
  const server = await startDemo();
  const { page, errors, violations } = await look(browser, server, { place: "connect" });
  await lights(page, ["The server can be reached"]);
  const client = run(await copied(page, "Connect", "pusher-js"));
  await lights(page, ["The server can be reached", "First connection", "First subscription"]);
  await shows(page, ".lights", "my-channel");

  const secret = await copiedSecret(page);
  expect(secret).toBe(server.apps[0]?.secrets[0] ?? "-");
  const program = run(await copied(page, "Publish", "Node"), { FANFARE_SECRET: secret });
  const { code } = await program.ended();
  expect([code, program.output]).toEqual([0, ""]);
  await shows(page, "#working + [role=status]", "All set");
  await shows(page, ".lights", "my-event to my-channel");
  await shows(page, ".lights", "It was sent to the subscribers.");
  await eventually(() => expect(client.stdout).toContain("Hello"));
  expect(errors).toEqual([]);
  expect(await violations()).toEqual([]);
});

test("the board on the first page turns on no light of somebody's own app", async () => {
  const server = await startDemo();
  await visit(browser, server, { robot: true });
  const { page } = await look(browser, server, { place: "connect" });
  const { token } = (await (await fetch(`${server.url}/demo/token`)).json()) as { token: string };
  const guest = await connect(socketUrl(server.url, `/?token=${token}`));
  guest.send({ event: "subscribe", data: { channel: "presence-workshop" } });
  await guest.next("subscribed");
  await server.toChannel("workshop").push({ event: "note", data: { text: "of the board" } });
  await lights(page, ["The server can be reached"]);
  const other = await connect(socketUrl(server.url, `/app/${server.apps[0]?.key}?protocol=7`));
  await other.next("pusher:connection_established");
  await lights(page, ["The server can be reached", "First connection"]);
});

const CLIENTS = ["pusher-js", "Laravel Echo", "Fanfare client", "WebSocket"];
const BACK_ENDS = ["Node", "Fanfare publisher", "curl"];

test("every snippet that can be run here does what it says, of an app that is not the first", async () => {
  const apps = [APP, { id: "second", key: "second-key", secret: "second-secret", anonymous: true }];
  const server = await startWithDashboard({ apps });
  const { page } = await look(browser, server, { place: "connect?app=second" });
  for (const tab of CLIENTS) {
    const client = run(await copied(page, "Connect", tab));
    await eventually(
      async () => {
        await server
          .app("second")
          .toChannel("my-channel")
          .push({ event: "my-event", data: { text: `for ${tab}` } });
        expect(client.stdout).toContain(`for ${tab}`);
      },
      { withinMs: PATIENCE_MS, everyMs: 100 },
    );
    expect(client.stderr).toBe("");
  }
  const hears = await connect(socketUrl(server.url, "/?app=second-key"));
  hears.send({ event: "subscribe", data: { channel: "my-channel" } });
  await hears.next("subscribed");
  for (const tab of BACK_ENDS) {
    const text = await copied(page, "Publish", tab);
    const env = { FANFARE_SECRET: "second-secret" };
    const ended = await (tab === "curl" ? shell(text, env) : run(text, env)).ended();
    expect([tab, ended.code]).toEqual([tab, 0]);
    expect(await hears.next("my-event")).toMatchObject({ data: { text: "Hello" } });
  }
});

test("the lines for Laravel make it publish here", async () => {
  const server = await startWithDashboard({ apps: [APP] });
  const { page } = await look(browser, server, { place: "connect" });
  await page.getByRole("button", { name: "Show secret" }).click();
  const environment = await copied(page, "Connect", "Laravel");
  const [, code = ""] = /--execute='(.*)'$/s.exec(await copied(page, "Publish", "Laravel")) ?? [];
  const { runCode } = laravel(environment);
  const hears = await connect(socketUrl(server.url, `/app/${APP.key}?protocol=7`));
  hears.send({ event: "pusher:subscribe", data: { channel: "my-channel" } });
  await hears.next("pusher_internal:subscription_succeeded");
  const program = runCode(code);
  expect([(await program.ended()).code, program.output]).toEqual([0, ""]);
  expect(await hears.next("my-event")).toMatchObject({ data: '{"text":"Hello"}' });
  await shows(page, ".lights", "It was sent to the subscribers.");
});

test("an attempt that fails says why, in the words of what was copied wrong", async () => {
  const app = { ...APP, key: "5f0c2a9be71d44c3", allowedOrigins: ["https://shop.example"], allowMissingOrigin: true };
  const tls = { id: "tls", key: "tls-key", secret: "tls-secret", requireTls: true };
  const server = await startWithDashboard({ apps: [app, tls] });
  const { page } = await look(browser, server, { place: "connect?app=app" });
  const failed = (wanted: string) => shows(page, ".failed-attempts", wanted);
  const dial = (key: string, headers = {}) => connect(socketUrl(server.url, `/app/${key}?protocol=7`), { headers });
  await dial("5f0c2a9be71d44");
  await failed("Unknown key 5f0c2a9be71d44");
  await failed("Characters are missing at the end: the key ends in 44c3.");
  await dial("undefined");
  await failed("the variable is empty where the page is built");
  await dial("app");
  await failed("That is the app's id.");
  await dial(app.key, { Origin: "https://elsewhere.example" });
  await failed("Origin refused");
  await failed("https://elsewhere.example");

  const text = await copied(page, "Publish", "Node");
  await run(text, { FANFARE_SECRET: "wrong" }).ended();
  await failed("Explain this signature");
  await run(text.replace('appId: "app"', 'appId: "ap"'), { FANFARE_SECRET: app.secret }).ended();
  await failed("This app's id is app.");

  await page.goto(page.url().replace("app=app", "app=tls"));
  await dial("tls-key");
  await failed("Plain ws:// where wss:// is needed");
});

test("nobody hears what is published elsewhere, and the light says so", async () => {
  const server = await startWithDashboard({ apps: [APP] });
  const { page } = await look(browser, server, { place: "connect" });
  const client = await connect(socketUrl(server.url, `/app/${APP.key}?protocol=7`));
  client.send({ event: "pusher:subscribe", data: { channel: "here" } });
  await shows(page, ".lights", "here");
  await server.toChannel("there").push({ event: "lost", data: {} });
  await shows(page, ".lights", "Nobody was subscribed to there. Your client is in here.");
  await page.getByRole("button", { name: "Start over" }).click();
  await lights(page, ["The server can be reached"]);
});

test("the secret is for admins who ask, and asking is in the audit log", async () => {
  const password = "everything!";
  const hash = Bun.password.hashSync(password, { algorithm: "bcrypt", cost: 4 });
  const users = (["operate", "admin"] as const).map((role) => ({ name: role, password: hash, role }));
  const server = await startWithDashboard({ apps: [APP], dashboard: { users } });
  const signIn = async (name: string) => {
    const { page } = await look(browser, server, { place: "connect", isOutside: true });
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    return page;
  };
  const operator = await signIn("operate");
  const button = operator.getByRole("button", { name: "Show secret" });
  await button.waitFor();
  expect(await button.isDisabled()).toBe(true);
  expect(await operator.content()).not.toContain(APP.secret);

  const admin = await signIn("admin");
  await admin.getByRole("button", { name: "Show secret" }).waitFor();
  expect(await admin.content()).not.toContain(APP.secret);
  await admin.getByRole("button", { name: "Show secret" }).click();
  await shows(admin, ".credentials", APP.secret);
  await admin.getByRole("button", { name: "Hide" }).click();
  expect(await admin.content()).not.toContain(APP.secret);
  await openPageOf(admin, "Audit log");
  await shows(admin, "table", "app.secret");
});

test("under a path prefix the code names it", async () => {
  const server = await startWithDashboard({ apps: [APP], path: "/live" });
  const { page } = await look(browser, server, { place: "connect", prefix: "/live" });
  await shows(page, ".credentials", `ws://localhost:${server.port}/live`);
  expect(await copied(page, "Connect", "pusher-js")).toContain('wsPath: "/live"');
});

test.each([390, 320])("nothing sticks out of a screen %d pixels wide, and the lights come first", async (width) => {
  const server = await startWithDashboard({ apps: [APP] });
  const { page } = await look(browser, server, { place: "connect", width });
  await connect(socketUrl(server.url, `/app/${"long".repeat(15)}?protocol=7`));
  await shows(page, ".failed-attempts", "Unknown key");
  for (const tab of ["Laravel", "WebSocket"]) await copied(page, "Connect", tab);
  await copied(page, "Publish", "curl");
  await page.getByRole("button", { name: "Private channel" }).click();
  for (const tab of ["Node", "Go"]) await copied(page, "Permit", tab);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
  const top = (selector: string) => page.locator(selector).evaluate((it) => it.getBoundingClientRect().top);
  expect(await top("#working")).toBeLessThan(await top("#credentials"));
});

// Not a test of the page: it makes files of this repository, and is asked for by name.
if (process.env.FANFARE_SCREENSHOTS === "1") test("the pictures of connecting are taken anew", takePictures);

async function takePictures(): Promise<void> {
  const shop = { ...APP, id: "shop", key: "5f0c2a9be71d44c3", name: "Shop", secret: "a-secret" };
  const server = await startWithDashboard({ apps: [shop], port: 9501 });
  const desk = await look(browser, server, { place: "connect", width: 1440, height: 900 });
  const phone = await look(browser, server, { place: "connect", width: 390, height: 844, colors: "dark" });
  await connect(socketUrl(server.url, "/app/5f0c2a9be71d44?protocol=7"));
  const client = run(await copied(desk.page, "Connect", "pusher-js"));
  await shows(desk.page, ".lights", "my-channel");
  await copied(desk.page, "Connect", "Laravel");
  await desk.page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await desk.page.waitForTimeout(500);
  await desk.page.screenshot({ path: join(PICTURES, "connect.png") });
  await server.toChannel("my-channel").push({ event: "my-event", data: { text: "Hello" } });
  await eventually(() => expect(client.stdout).toContain("Hello"));
  await shows(phone.page, "#working + [role=status]", "All set");
  await phone.page.screenshot({ path: join(PICTURES, "connect-phone-dark.png") });
}
