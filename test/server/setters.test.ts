/** Single settings by name, chained before the server starts. */

import { describe, expect, test } from "bun:test";
import { ConfigError, createServer } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { connectNative } from "../support/native-client.ts";
import { APP, socketUrl, startServer } from "../support/server.ts";
import { connect } from "../support/socket.ts";

describe("setters", () => {
  test("are chained, and count from the start (S2, S14, S15, S16)", async () => {
    const server = createServer({
      host: "127.0.0.1",
      port: 0,
      apps: [{ ...APP, anonymous: true }],
      log: { level: "silent" },
    })
      .setMaxClients(1)
      .setPingInterval(7)
      .enableDebug();
    atEnd(() => server.stop());
    expect(server.log.level).toBe("debug");
    expect(server.config).toMatchObject({ limits: { connections: 1 }, activityTimeoutS: 7, log: { level: "debug" } });
    server.log.level = "silent";
    await server.start();
    const only = await connectNative(server.url);
    expect(only.welcome.activityTimeoutS).toBe(7);
    const another = await connect(socketUrl(server.url, "/"));
    expect((await another.closed).code).toBe(4100);
  });

  test("refuse what the settings would, and say so while the server runs", async () => {
    const server = createServer({ apps: [APP] });
    expect(() => server.setMaxClients(0)).toThrow(ConfigError);
    expect(() => server.setPingInterval(-1)).toThrow("activityTimeoutS");
    const running = await startServer();
    expect(() => running.setMaxClients(5)).toThrow("before start()");
    expect(() => running.enableDebug()).toThrow("reload()");
  });
});
