/** What the server says when it has started. */

import { expect, test } from "bun:test";
import { type BannerInfo, banner } from "../../packages/server/src/cli/banner.ts";
import { type ConfigInput, parseConfig } from "../../packages/server/src/config/load.ts";

function bannerOf(input: ConfigInput, more: Partial<BannerInfo> = {}): string {
  const apps = [{ id: "demo", key: "the-key", secret: "the-secret" }];
  const config = parseConfig({ apps, ...input });
  const { port } = config;
  return banner({
    name: "fanfare",
    version: "1.2.3",
    config,
    port,
    maxConnections: 19_936,
    addresses: ["192.0.2.7"],
    ...more,
  });
}

test("the banner shows the demo app with its secret and where to open the page (A27)", () => {
  expect(bannerOf({}, { demoFile: ".fanfare/demo-app.json" })).toBe(`fanfare 1.2.3

  Host             0.0.0.0
  Port             9501
  Workers          1
  Max connections  19936
  App key          the-key
  App id           demo
  App secret       the-secret
  Kept in          .fanfare/demo-app.json

  Open             http://localhost:9501/
                   http://192.0.2.7:9501/
  Dashboard        http://localhost:9501/dashboard
  WebSocket        ws://localhost:9501/app/the-key
                   ws://localhost:9501/

Press Ctrl+C to stop`);
});

test("the banner shows the dashboard with its key, where one opens it", () => {
  const text = bannerOf({ path: "/ws" }, { dashboardKey: "the-key-to-it" });
  expect(text).toMatch(/^ {2}Dashboard +http:\/\/localhost:9501\/ws\/dashboard\/\?key=the-key-to-it$/m);
});

test("the banner shows no secret of an app that was configured", () => {
  const text = bannerOf({});
  expect(text).toContain("the-key");
  expect(text).not.toContain("the-secret");
});

test("the banner lists the key of every app", () => {
  const apps = [
    { id: "a", key: "first-key", secret: "x" },
    { id: "b", key: "second-key", secret: "x" },
  ];
  expect(bannerOf({ apps })).toMatch(/App key +first-key\n +App key +second-key\n/);
});

test("the banner shows the port that was really opened", () => {
  expect(bannerOf({ port: 0 }, { port: 40_001 })).toContain("http://localhost:40001/");
});

test("the banner shows TLS, the path prefix and the one host it listens on", () => {
  const text = bannerOf({ host: "::1", port: 443, path: "/ws", tls: { certFile: "c", keyFile: "k" } });
  expect(text).toContain("https://[::1]/ws/");
  expect(text).toContain("wss://[::1]/ws/app/the-key");
  expect(text).not.toContain("192.0.2.7");
});

test("the banner points to the health check in production, which has no page", () => {
  const text = bannerOf({ mode: "production" });
  expect(text).toContain("http://localhost:9501/health");
  expect(text).not.toContain("Open");
});
