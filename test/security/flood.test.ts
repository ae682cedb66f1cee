/** A flood of connections from one address. Scenario 61, scaled down: the cap holds, and everybody else comes in. */

import { describe, expect, test } from "bun:test";
import { knock } from "../guards/knock.ts";
import { eventually } from "../support/eventually.ts";
import { startServer } from "../support/server.ts";

const SOCKETS = 300;
const CAP = 50;

async function flood(url: string, options: Parameters<typeof knock>[1]) {
  const knocked = await Promise.all(Array.from({ length: SOCKETS }, () => knock(url, options)));
  return {
    inside: knocked.filter(({ status }) => status === 101),
    outside: knocked.filter((one) => one.status !== 101),
  };
}

describe.each([
  ["straight", { trustedProxies: ["192.0.2.1"] }, { from: "127.0.0.1" }, { from: "127.0.0.2" }],
  [
    "through a proxy",
    { trustedProxies: ["loopback"] },
    { forwardedFor: "203.0.113.9" },
    { forwardedFor: "203.0.113.9, 203.0.113.10" },
  ],
  [
    "through a proxy, with a made-up address in front of each",
    { trustedProxies: ["loopback"] },
    { forwardedFor: "198.51.100.1, 203.0.113.9" },
    { forwardedFor: "198.51.100.1" },
  ],
])("a flood that comes %s", (_, proxies, attacker, others) => {
  test("gets as many connections as one address may have, and others get theirs (scenario 61)", async () => {
    const server = await startServer({ ...proxies, limits: { connectionsPerIp: CAP } });
    const { inside, outside } = await flood(server.url, attacker);
    expect(inside).toHaveLength(CAP);
    expect(new Set(outside.map(({ status }) => status))).toEqual(new Set([429]));
    expect(new Set(outside.map(({ headers }) => headers["retry-after"]))).toEqual(new Set(["5"]));
    expect(server.app().connections.count()).toBe(CAP);

    const calm = await Promise.all(Array.from({ length: CAP }, () => knock(server.url, others)));
    expect(new Set(calm.map(({ status }) => status))).toEqual(new Set([101]));

    for (const { socket } of inside) socket.cut();
    await eventually(() => expect(server.app().connections.count()).toBe(CAP));
    expect((await flood(server.url, attacker)).inside).toHaveLength(CAP);
  });
});

test("by default nobody is capped, so that nobody suffers for sharing a proxy", async () => {
  const server = await startServer();
  expect((await flood(server.url, {})).inside).toHaveLength(SOCKETS);
});
