/** What the demo page must not do: run what somebody typed, fetch from elsewhere, show itself or its secret where it should not. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { SignJWT } from "jose";
import { openBrowser, openPage } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { APP, socketUrl, startServer } from "../support/server.ts";
import { connect } from "../support/socket.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { isOnBoard, people, shows, startDemo, TEST_MS, visit, WORKSHOP, write } from "./visit.ts";

setDefaultTimeout(TEST_MS);

const browser = await openBrowser();
const server = await startDemo();

const EVIL = "<img src=x onerror=hacked=1>";

test("what looks like HTML stays text, in names, notes, events and frames", async () => {
  const evil = await visit(browser, server, { name: EVIL });
  const victim = await visit(browser, server, { name: "Victim" });
  await victim.page.click("#frames-bar");
  await write(evil.page, `${EVIL}<script>hacked=1</script>`);
  await shows(victim.page, "#notes", `${EVIL}<script>hacked=1</script>`);
  await shows(victim.page, ".by-name", EVIL);
  await server.toChannel("workshop").push({ event: `<svg onload=hacked=1>`, data: { text: EVIL } });
  await shows(victim.page, "#notes", "<svg onload=hacked=1>");
  await shows(victim.page, "#activity", `${EVIL} added “${EVIL}`);
  // What is kept is no more dangerous to who comes later.
  const late = await visit(browser, server, { name: "Late" });
  await shows(late.page, "#notes", `${EVIL}<script>hacked=1</script>`);
  await shows(victim.page, "#frames", "<svg onload=hacked=1>");
  expect(await people(victim.page)).toEqual(["Victim", EVIL, "Late"]);
  for (const { page, errors, violations } of [evil, victim, late]) {
    expect(await page.locator("img, main script, main svg[onload], #notes p *, #activity b *").count()).toBe(0);
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    expect(await violations()).toEqual([]);
    expect(errors).toEqual([]);
  }
});

test("a member who lies about its name and colour harms nobody", async () => {
  const victim = await visit(browser, server);
  const [app] = server.apps;
  const info = { name: { toString: "x" }, color: "red;background:url(//elsewhere.example/x)" };
  const token = await new SignJWT({ sub: "liar", info, channels: ["presence-*", "private-*"] })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(app?.secrets[0]));
  const liar = await connect(socketUrl(server.url, `/?token=${token}`));
  liar.send({ event: "subscribe", data: { channel: WORKSHOP } });
  await eventually(async () => expect(await people(victim.page)).toContain("liar"));
  const said = { channel: WORKSHOP, event: "note", data: { text: ["no", "text"] } };
  liar.send({ event: "publish", data: said });
  await shows(victim.page, "#notes", '{"text":["no","text"]}');
  const wild = [null, 5, { x: "1", y: {} }, { x: 0.5, y: 0.5, note: { id: "gone", x: 0, y: 0 } }];
  liar.send({ event: "subscribe", data: { channel: "private-workshop-cursors" } });
  for (const data of wild)
    liar.send({ event: "publish", data: { channel: "private-workshop-cursors", event: "client-cursor", data } });
  for (const data of [null, { id: ["x"] }, { id: "gone" }])
    liar.send({ event: "publish", data: { channel: WORKSHOP, event: "like", data } });
  await shows(victim.page, ".cursor", "liar");
  expect(await victim.violations()).toEqual([]);
  expect(victim.errors).toEqual([]);
});

test("the policy lets nothing run or load that did not come with the page", async () => {
  const requested: string[] = [];
  const { page, violations } = await visit(browser, server);
  page.on("request", (request) => requested.push(request.url()));
  await page.reload();
  await isOnBoard(page);
  expect(requested.length).toBeGreaterThan(1);
  expect(
    requested.filter((url) => !url.startsWith(`http://localhost:${server.port}/`) && !url.startsWith("data:")),
  ).toEqual([]);
  expect(await violations()).toEqual([]);
  // The same counter counts when the policy is broken, or its silence would mean nothing.
  const reached = await page.evaluate(() => {
    document.head.append(Object.assign(document.createElement("style"), { textContent: "*{}" }));
    return fetch("https://elsewhere.example/").then(Boolean, () => false);
  });
  expect(reached).toBe(false);
  await eventually(async () => {
    expect(await violations()).toEqual(["style-src-elem inline", "connect-src https://elsewhere.example/"]);
  });
  const unsafe = page.evaluate(() => {
    document.body.innerHTML = "<p>";
  });
  await expect(unsafe).rejects.toThrow(/TrustedHTML/);
});

test("two answers never have the same nonce, and only the policy of the same answer names it", async () => {
  const seen = new Set<string>();
  for (let turn = 0; turn < 3; turn++) {
    const response = await fetch(server.url);
    const policy = response.headers.get("content-security-policy") ?? "";
    const nonce = /script-src 'nonce-([\w+/=]{24})'/.exec(policy)?.[1] ?? "none";
    const html = await response.text();
    expect(html.split(`nonce="${nonce}"`)).toHaveLength(3);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    seen.add(nonce);
  }
  expect(seen.size).toBe(3);
});

test("the secret is neither on the page nor in the token's answer", async () => {
  const [secret = ""] = server.apps[0]?.secrets ?? [];
  expect(secret).not.toBe("");
  const html = await (await fetch(server.url)).text();
  expect(html).toContain(server.apps[0]?.key ?? "-");
  expect(html).toContain("demo-app.json");
  expect(html).not.toContain(secret);
  expect(await (await fetch(`${server.url}/demo/token`)).text()).not.toContain(secret);
});

test("other sites get no token", async () => {
  const ask = (site: string) => fetch(`${server.url}/demo/token`, { headers: { "Sec-Fetch-Site": site } });
  for (const site of ["cross-site", "same-site"]) expect((await ask(site)).status).toBe(403);
  const own = await ask("same-origin");
  expect(own.status).toBe(200);
  expect(own.headers.get("access-control-allow-origin")).toBeNull();
});

test("a token lasts half a day and lets its holder into private and presence channels", async () => {
  const { token, user } = (await (await fetch(`${server.url}/demo/token?name=%20A%0Ab%20`)).json()) as {
    token: string;
    user: { id: string; info: { name: string } };
  };
  const claims = JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
  expect(claims.exp - claims.iat).toBe(12 * 3600);
  expect(claims).toMatchObject({ sub: user.id, info: user.info, channels: ["presence-*", "private-*"] });
  expect(user.info.name).toBe("A b");
});

test("a guest publishes no faster than the app allows, and no larger", async () => {
  const guest = async () => {
    const { token } = (await (await fetch(`${server.url}/demo/token`)).json()) as { token: string };
    return await connect(socketUrl(server.url, `/?token=${token}`));
  };
  const flooder = await guest();
  flooder.send({ event: "subscribe", data: { channel: WORKSHOP } });
  await flooder.next("subscribed");
  for (let id = 1; id <= 40; id++)
    flooder.send({ event: "publish", id, data: { channel: WORKSHOP, event: "note", data: { text: "flood" } } });
  expect(await flooder.next("error")).toMatchObject({ code: "rate_limited" });
  const loud = await guest();
  loud.send({ event: "subscribe", data: { channel: WORKSHOP } });
  await loud.next("subscribed");
  const data = { channel: WORKSHOP, event: "note", data: { text: "x".repeat(200_000) } };
  loud.send({ event: "publish", id: 1, data });
  expect(await loud.next("error")).toMatchObject({ code: "data_too_large" });
});

test("a server with configured apps shows where to connect in development, and hands out no token", async () => {
  const configured = await startServer({
    mode: "development",
    apps: [APP],
    path: "/live",
    stateDir: temporaryFolder(),
  });
  for (const path of ["/", "/live/"]) {
    const response = await fetch(`${configured.url}${path}`);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(response.headers.get("content-security-policy")).toStartWith("default-src 'none'; script-src 'nonce-");
    const html = await response.text();
    expect(html).toContain(`${configured.url.replace("http", "ws")}${path}app/KEY`);
    for (const secret of [APP.key, APP.secret, new URL(configured.dashboardUrl ?? "").searchParams.get("key") ?? ""]) {
      expect(html).not.toContain(secret);
    }
  }
  expect((await fetch(`${configured.url}/live`, { redirect: "manual" })).status).toBe(308);
  expect((await fetch(`${configured.url}/demo/token`)).status).toBe(404);
  const { page, errors } = await openPage(browser);
  await page.goto(`http://localhost:${configured.port}/live/`);
  expect(await page.textContent("h1")).toBe("Fanfare");
  await page.getByRole("link", { name: "dashboard" }).click();
  await page.getByLabel("Key").waitFor();
  expect(errors).toEqual([]);
});

test("a server with configured apps shows no page in production", async () => {
  const configured = await startServer({ mode: "production", apps: [APP] });
  const token = await fetch(`${configured.url}/demo/token`);
  expect([token.status, await token.json()]).toEqual([404, expect.objectContaining({ code: "not_found" })]);
  // Only what probes of soketi's ask for there.
  const root = await fetch(configured.url);
  expect([root.status, await root.json()]).toEqual([200, { status: "ok" }]);
});

test("only GET and HEAD are answered", async () => {
  expect((await fetch(server.url, { method: "POST" })).status).toBe(405);
  const head = await fetch(server.url, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
});
