/** What the dashboard must not do: let anybody in, run what somebody named a channel, load from elsewhere, show a secret. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { SignJWT } from "jose";
import { openBrowser } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import {
  isLive,
  look,
  openPageOf,
  openSend,
  PATIENCE_MS,
  row,
  shows,
  startWithDashboard,
  TEST_MS,
} from "./dashboard.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();

const EVIL = "<img src=x onerror=hacked=1>";
const PASSWORD = "a long pass phrase";
const TOKEN_SECRET = "a secret of more than thirty-two characters";

/** Compressed, in bytes: what a page may fetch before it is there. */
const FIRST_LOAD = 90 * 1024;

test("what looks like HTML stays text, in channels, events, users and payloads (scenario 70)", async () => {
  const server = await startWithDashboard();
  const channel = "presence-a=b;c,d@e";
  const client = await connectPusher(server.url);
  await client.signin({ id: EVIL });
  await client.subscribe(channel, { data: { user_id: EVIL, user_info: { name: `${EVIL}<script>hacked=1</script>` } } });
  const looker = await look(browser, server);
  const { page } = looker;
  await eventually(
    async () => {
      await server.toChannel(channel).push({ event: EVIL, data: { text: EVIL } });
      await row(page, "message", EVIL).first().waitFor({ timeout: 500 });
    },
    { withinMs: PATIENCE_MS },
  );
  await row(page, "message", EVIL).first().click();
  await shows(page, ".inspector", EVIL);
  await page.getByRole("complementary").getByRole("link", { name: channel }).click();
  await shows(page, "section[aria-label=Members]", EVIL);
  await page.goto(page.url().replace(/#.*/, `#/connection?app=app&id=${client.socketId}`));
  await shows(page, ".entity-head", EVIL);
  await page.locator(".entity-head").getByRole("link", { name: EVIL }).click();
  await shows(page, ".entity-name", `${EVIL}<script>`);
  const form = await openSend(page);
  await form.getByLabel("Channel").fill(channel);
  await form.getByLabel("Event").fill(EVIL);
  await form.getByRole("button", { name: "Send", exact: true }).click();
  await shows(page, ".history", EVIL);
  await shows(page, ".notices", EVIL);
  await page.keyboard.press("Escape");
  await openPageOf(page, "Audit log");
  await shows(page, "table", EVIL);
  // A link that names what does not exist is text as well.
  await page.goto(`${page.url().replace(/#.*/, "")}#/channel?app=app&name=${encodeURIComponent(EVIL)}`);
  await shows(page, "h1", EVIL);
  expect(await page.locator("img, main script").count()).toBe(0);
  expect(await page.evaluate(() => "hacked" in window)).toBe(false);
  expect(await looker.violations()).toEqual([]);
});

test("nothing is loaded from elsewhere or against the policy, and the first load is small", async () => {
  const server = await startWithDashboard();
  const { page, violations, errors } = await look(browser, server);
  const fetched: string[] = [];
  page.on("response", (response) => fetched.push(response.url()));
  await page.reload();
  await isLive(page);
  await eventually(() => expect(fetched.some((url) => url.endsWith("/api/overview"))).toBe(true));
  expect(fetched.filter((url) => !url.startsWith(`http://localhost:${server.port}/dashboard/`))).toEqual([]);
  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
  let bytes = 0;
  for (const url of new Set(fetched.filter((it) => !it.includes("/api/ticket")))) {
    const answer = await fetch(url.replace("localhost", "127.0.0.1"), { headers: { cookie } });
    expect(answer.status).toBe(200);
    bytes += Bun.gzipSync(await answer.bytes()).length;
  }
  expect(bytes).toBeLessThan(FIRST_LOAD);
  expect(fetched.some((url) => url.endsWith(".js")) && fetched.some((url) => url.endsWith(".css"))).toBe(true);
  for (const name of [
    "Channels",
    "People",
    "Insights",
    "Webhooks",
    "Connect an app",
    "Apps & keys",
    "Nodes",
    "Limits",
    "Audit log",
    "Appearance",
  ]) {
    await openPageOf(page, name);
    await page.locator("h1").waitFor();
  }
  expect(await violations()).toEqual([]);
  expect(errors).toEqual([]);
});

test("the page and its scripts have a policy without exceptions, and no secret in them", async () => {
  const server = await startWithDashboard({ dashboard: { password: PASSWORD } });
  const page = await fetch(`${server.url}/dashboard/`);
  const policy = page.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain("unsafe");
  const html = await page.text();
  expect(html).not.toMatch(/<style|<script>|style="|https?:\/\//);
  const names = Array.from(html.matchAll(/(?:src|href)="([^"]+)"/g), ([, name = ""]) => name);
  expect(names).toHaveLength(3);
  for (const name of names) {
    const text = await (await fetch(`${server.url}/dashboard/${name}`)).text();
    for (const secret of [APP.secret, APP.key, PASSWORD]) expect(text).not.toContain(secret);
    expect(text).not.toMatch(/\beval\(|new Function\(/);
  }
});

test("where there are accounts one signs in by name and password, is told what one is, and signs out (scenario 70)", async () => {
  const users = [
    { name: "vera", password: await Bun.password.hash("only looking"), role: "view" as const },
    { name: "otto", password: await Bun.password.hash("operating too"), role: "operate" as const },
  ];
  const server = await startWithDashboard({ dashboard: { users } });
  const { page } = await look(browser, server, { isOutside: true });
  const signIn = async (name: string, password: string) => {
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
  };
  await signIn("vera", "something else");
  expect(await page.getByRole("alert").textContent()).not.toBe("");
  await signIn("vera", "only looking");
  await isLive(page);
  await shows(page, ".who", "vera view");
  // Whoever may look only is offered nothing else.
  const send = page.getByRole("button", { name: "Send event" });
  expect([await send.isDisabled(), await send.getAttribute("title")]).toEqual([
    true,
    "Needs the role operate; yours is view.",
  ]);
  await openPageOf(page, "Nodes");
  expect(await page.getByRole("button", { name: "Drain" }).isDisabled()).toBe(true);
  expect(await page.getByRole("link", { name: "Audit log" }).count()).toBe(0);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("form", { name: "Sign in" }).waitFor();
  await page.reload();
  await page.getByRole("form", { name: "Sign in" }).waitFor();

  await signIn("otto", "operating too");
  await shows(page, ".who", "otto operate");
  await openPageOf(page, "Apps & keys");
  expect(await page.getByRole("button", { name: "New app" }).isDisabled()).toBe(true);
  // A session that ends elsewhere ends here.
  await page.context().clearCookies();
  await page.getByRole("form", { name: "Sign in" }).waitFor();
});

test("a token signs in as well, where one is configured", async () => {
  const server = await startWithDashboard({ dashboard: { token: { secret: TOKEN_SECRET } } });
  const { page } = await look(browser, server, { isOutside: true });
  const token = await new SignJWT({ sub: "ada", role: "admin" })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime("5m")
    .sign(new TextEncoder().encode(TOKEN_SECRET));
  await page.getByLabel("Token (JWT)").fill(`${token}x`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Token (JWT)").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await isLive(page);
  await shows(page, ".who", "ada admin");
});

test("in development the printed address lets one in, the key leaves the address bar, and no page hears of it", async () => {
  const server = await startWithDashboard();
  const { page } = await look(browser, server, { isOutside: true });
  await shows(page, "main", "fanfare dashboard");
  const referrers: (string | undefined)[] = [];
  page.on("request", (request) => {
    if (!request.url().includes("?key=")) referrers.push(request.headers().referer);
  });
  const address = (server.dashboardUrl ?? "").replace("127.0.0.1", "localhost");
  const key = new URL(address).searchParams.get("key") ?? "";
  await page.goto(`${address}#/insights`);
  await isLive(page);
  expect(page.url()).toBe(`http://localhost:${server.port}/dashboard/#/insights`);
  expect(await page.content()).not.toContain(key);
  expect(await page.evaluate(() => document.referrer + document.cookie)).toBe("");
  expect(referrers.filter((referrer) => referrer?.includes("key"))).toEqual([]);
  await page.reload();
  await isLive(page);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("form", { name: "Sign in" }).waitFor();
  await page.reload();
  // The whole address will do as well.
  await page.getByLabel("Key").fill(`${key}x`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Key").fill(address);
  await page.getByRole("button", { name: "Sign in" }).click();
  await isLive(page);
  await shows(page, ".who", "key admin");
});

test("in production without accounts nobody is let in, and the page says what to do (B31)", async () => {
  const server = await startWithDashboard({ mode: "production" });
  const { page } = await look(browser, server, { isOutside: true });
  await shows(page, "main", "No one can sign in yet");
  await shows(page, "main", "dashboard.users");
});
