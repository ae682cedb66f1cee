/** The dashboard against those who would misuse it (scenario 70). */

import { describe, expect, test } from "bun:test";
import { liveChannel } from "../../packages/server/src/admin/api-types.ts";
import { connectNative, makeToken } from "../support/native-client.ts";
import { connectPusher, signedFetch } from "../support/pusher-client.ts";
import { APP, socketUrl, startServer } from "../support/server.ts";
import { connect } from "../support/socket.ts";
import { keyHolder, type Name, PASSWORDS, SIGNED, signedIn, USERS, Visitor } from "./visitor.ts";

const NASTY = `<img src=x onerror="alert(1)"></script>`;

describe("signing in", () => {
  test("is refused after ten wrong attempts from an address, even with the right password (scenario 70)", async () => {
    const { url } = await startServer(SIGNED);
    const visitor = new Visitor(`${url}/dashboard`);
    for (let attempt = 0; attempt < 10; attempt++) {
      expect((await visitor.signIn(`guess-${attempt}`, "wrong")).status).toBe(401);
    }
    const refused = await visitor.signIn("otto", PASSWORDS.otto);
    expect([refused.status, refused.headers.get("retry-after"), visitor.cookie]).toEqual([429, "60", undefined]);
  });

  test("is refused after twenty wrong attempts by one name, wherever they come from (scenario 70)", async () => {
    const { url } = await startServer({ ...SIGNED, trustedProxies: ["loopback"] });
    const visitor = new Visitor(`${url}/dashboard`);
    const from = (n: number) => ({ headers: { "X-Forwarded-For": `198.51.100.${n}` } });
    for (let attempt = 0; attempt < 20; attempt++) {
      expect((await visitor.signIn("otto", "wrong", from(attempt))).status).toBe(401);
    }
    expect((await visitor.signIn("otto", PASSWORDS.otto, from(99))).status).toBe(429);
    expect((await visitor.signIn("vera", PASSWORDS.vera, from(99))).status).toBe(200);
  });

  test("with right passwords is not counted, and many at once are told to wait", async () => {
    const { url } = await startServer(SIGNED);
    for (let time = 0; time < 15; time++) await signedIn(url, "vera");
    const visitors = Array.from({ length: 30 }, () => new Visitor(`${url}/dashboard`).signIn("vera", "wrong"));
    const statuses = (await Promise.all(visitors)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(20);
  });

  test("takes a call from its own page, with a body that is one (scenario 70)", async () => {
    const { url } = await startServer(SIGNED);
    const visitor = new Visitor(`${url}/dashboard`);
    expect((await visitor.signIn("otto", PASSWORDS.otto, { isBare: true })).status).toBe(403);
    expect((await visitor.signIn("otto", PASSWORDS.otto, { headers: { Origin: "https://evil.example" } })).status).toBe(
      403,
    );
    expect((await visitor.signIn("otto", PASSWORDS.otto, { headers: { Origin: url } })).status).toBe(200);
    for (const body of [
      "{",
      "[]",
      '"otto"',
      '{"name":1,"password":2}',
      '{"name":"otto"}',
      '{"name":{"$ne":1},"password":"x"}',
    ]) {
      expect((await visitor.post("api/session", body)).status).toBe(400);
    }
    expect((await visitor.post("api/session", "x".repeat(1_100_000))).status).toBe(413);
  });
});

describe("the page", () => {
  test("comes under a strict policy, in nobody's frame, with nothing inline (scenario 70)", async () => {
    const { url } = await startServer(SIGNED);
    for (const path of ["", "api/session", "api/overview", "nothing-there"]) {
      const { headers } = await fetch(`${url}/dashboard/${path}`);
      const policy = headers.get("content-security-policy") ?? "";
      expect(policy).toStartWith("default-src 'none'; script-src 'self'; style-src 'self';");
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("access-control-allow-origin")).toBeNull();
    }
    const page = await (await fetch(`${url}/dashboard/`)).text();
    expect(page).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=|https?:\/\//);
  });

  test("is asked for by relative addresses, with a path in front and by the name of another (B12, B30)", async () => {
    const settings = { ...SIGNED, path: "/ws", dashboard: { users: USERS, path: "/laravel-websockets" } };
    const { url } = await startServer(settings);
    for (const base of ["/laravel-websockets", "/ws/laravel-websockets"]) {
      const bare = await fetch(url + base, { redirect: "manual" });
      expect([bare.status, bare.headers.get("location")]).toEqual([302, "./laravel-websockets/"]);
      const page = await (await fetch(`${url}${base}/`)).text();
      const [, script = ""] = /<script[^>]* src="([^"]+)"/.exec(page) ?? [];
      expect(script).not.toMatch(/^\/|:/);
      const asset = await fetch(`${url}${base}/${script}`);
      expect([asset.status, asset.headers.get("content-type")]).toEqual([200, "text/javascript; charset=utf-8"]);
      const vera = await signedIn(url, "vera", base);
      expect((await vera.ask("api/apps/app/channels")).status).toBe(200);
      await vera.watch();
    }
    expect((await fetch(`${url}/dashboard/`)).status).toBe(404);
  });

  test("gives no other file away", async () => {
    const { url } = await startServer(SIGNED);
    for (const path of [
      "../package.json",
      "%2e%2e/package.json",
      "..%2fpackage.json",
      "index.html/../../x",
      "//etc/passwd",
    ]) {
      expect((await fetch(`${url}/dashboard/${path}`)).status).toBe(404);
    }
    expect((await fetch(`${url}/dashboard/`, { method: "POST" })).status).toBe(405);
  });
});

describe("names and payloads", () => {
  test("of channels, events and users come out as JSON, whatever is in them (scenario 70)", async () => {
    const { url } = await startServer(SIGNED);
    const otto = await signedIn(url, "otto");
    const live = await otto.watch();
    await live.subscribe({ type: "feed", types: ["client_event", "api_message", "member_added"] });
    const client = await connectPusher(url);
    await client.subscribe("presence-x", { data: { user_id: NASTY, user_info: { name: NASTY } } });
    await otto.post("api/apps/app/events", { channel: "presence-x", event: NASTY, data: NASTY });
    const { entries } = await live.next("feed", (batch) => batch.entries.some(({ type }) => type === "api_message"));
    expect(entries.at(-1)).toMatchObject({ event: NASTY, payload: { text: NASTY } });
    for (const path of ["api/apps/app/channel?name=presence-x", "api/audit", "api/apps/app/connections"]) {
      const answer = await otto.ask(path);
      expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json;charset=utf-8"]);
    }
    const missing = await otto.ask(`api/apps/${encodeURIComponent(NASTY)}`);
    expect([missing.status, missing.headers.get("content-type")]).toEqual([404, "application/json;charset=utf-8"]);
  });
});

describe("secrets", () => {
  test("are in no answer of any call but where they are made or asked for (scenario 70)", async () => {
    const secrets = [
      "a-secret-of-the-app",
      "a-header-secret",
      "url-password",
      "a-jwt-secret-of-more-than-32-letters",
      "query-secret",
    ];
    const app = {
      ...{ id: "app", key: APP.key, secrets: ["a-secret-of-the-app", APP.secret], anonymous: true },
      token: { secret: "a-jwt-secret-of-more-than-32-letters" },
      webhooks: [
        {
          url: "https://u:url-password@hooks.example/in?key=query-secret",
          headers: { Authorization: "a-header-secret" },
        },
      ],
    };
    const { url } = await startServer({ ...SIGNED, apps: [app] });
    const anna = await signedIn(url, "anna");
    const made = await anna.post<{ secret: string; app: { id: string } }>("api/apps", { name: "made" });
    const { id } = made.body.app;
    const again = await anna.post<{ secret: string }>(`api/apps/${id}/rotate`);
    expect(made.body.secret).toMatch(/^[0-9a-f]{40}$/);
    expect(again.body.secret).not.toBe(made.body.secret);
    const paths = ["overview", "nodes", "apps", "apps/app", `apps/${id}`, "apps/app/channels", "apps/app/connections"];
    const more = ["statistics", "webhooks", "audit", "session", "statistics?span=day&app=app"];
    const told = await Promise.all([...paths, ...more].map((path) => anna.ask(`api/${path}`)));
    for (const { status } of told) expect(status).toBe(200);
    const all = told.map(({ text }) => text).join("\n");
    for (const secret of [...secrets, APP.secret, made.body.secret, again.body.secret, ...Object.values(PASSWORDS)]) {
      expect(all).not.toContain(secret);
    }
    for (const { password } of USERS) expect(all).not.toContain(password);
  });

  test("in the path of a webhook's address are for admins, who set it", async () => {
    const webhooks = [{ url: "https://u:pw@hooks.example/in/path-secret?key=q" }, { url: "https://plain.example" }];
    const { url } = await startServer({ ...SIGNED, apps: [{ ...APP, webhooks }] });
    const seenBy = async (name: Name) => {
      const visitor = await signedIn(url, name);
      const [one, all] = [await visitor.ask("api/apps/app"), await visitor.ask("api/apps")];
      expect(one.text).toContain("https://plain.example/");
      return one.text + all.text;
    };
    for (const name of ["vera", "otto"] as const) {
      const seen = await seenBy(name);
      expect(seen).toContain("https://hooks.example/******");
      expect(seen).not.toContain("path-secret");
    }
    expect(await seenBy("anna")).toContain("https://hooks.example/in/path-secret");
  });

  test("are not in the explanation of a signature, and the right signature is for admins", async () => {
    const { url } = await startServer(SIGNED);
    const question = { type: "channel", socketId: "1.2", channel: "private-x", auth: `${APP.key}:${"0".repeat(64)}` };
    const [otto, anna] = [await signedIn(url, "otto"), await signedIn(url, "anna")];
    const hers = await anna.post<{ signature?: string }>("api/apps/app/explain", question);
    const his = await otto.post<{ signature?: string; text: string }>("api/apps/app/explain", question);
    expect(hers.body.signature).toMatch(/^[0-9a-f]{64}$/);
    expect(his.body).toMatchObject({ text: "1.2:private-x", verdict: { accepted: false } });
    expect(his.text).not.toContain(hers.body.signature ?? "none");
    expect(hers.text + his.text).not.toContain(APP.secret);
  });
});

describe("the reserved app", () => {
  test("is out of reach by every key, path and name there is (scenario 57)", async () => {
    const server = await startServer({ ...SIGNED, dashboard: {} });
    const { url } = server;
    const visitor = await keyHolder(server);
    const live = await visitor.watch();
    await live.subscribe({ type: "feed" });
    const name = "#dashboard";
    const inAddress = encodeURIComponent(name);
    await expect(connectNative(url, { app: name })).rejects.toThrow("app_unknown");
    await expect(connectNative(url, { app: name, token: await makeToken({ sub: "x" }) })).rejects.toThrow(
      "app_unknown",
    );
    const pusher = await connect(socketUrl(url, `/app/${inAddress}?protocol=7`));
    expect(await pusher.next("pusher:error")).toMatchObject({ data: { code: 4001 } });
    const bogus = { id: inAddress, key: name, secret: "" };
    expect((await signedFetch(url, bogus, "GET", `/apps/${inAddress}/channels`)).status).toBe(404);
    for (const path of ["", "/channels", "/connections"]) {
      expect((await visitor.ask(`api/apps/${inAddress}${path}`)).status).toBe(404);
    }
    const event = { channel: liveChannel({ type: "feed" }), event: "feed", data: "{}" };
    expect((await visitor.post(`api/apps/${inAddress}/events`, event)).status).toBe(404);
    // A channel of the same name in another app is another channel.
    const client = await connectNative(url);
    await client.subscribe(event.channel);
    await live.next("feed");
    expect((await client.unread()).filter((frame) => frame.event === "feed")).toEqual([]);
    expect((await client.ask("subscribe", { channel: "#nodes" })).event).toBe("error");
  });

  test("lets a dashboard do nothing but watch", async () => {
    const { socket } = await (await keyHolder(await startServer({ ...SIGNED, dashboard: {} }))).watch();
    const frames = [
      { event: "subscribe", data: { channel: "news" } },
      { event: "subscribe", data: { channel: "live-bm90IGpzb24" } },
      { event: "subscribe", data: { channel: "#nodes" } },
      { event: "publish", data: { channel: liveChannel({ type: "feed" }), event: "feed", data: {} } },
      { event: "authenticate", data: { token: "x" } },
      { event: "anything", data: 1 },
    ];
    for (const [id, frame] of frames.entries()) {
      socket.send({ ...frame, id });
      expect(await socket.next((one) => one.id === id)).toMatchObject({ event: "error" });
    }
  });
});
