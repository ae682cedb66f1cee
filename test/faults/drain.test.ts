/** A server that stops under load: everybody is told to come back, a few at a time, and finds the second node. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { createServer as createTcpServer, connect as dial } from "node:net";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { spawnCli } from "../support/process.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { startBareProcess } from "./process.ts";

setDefaultTimeout(120_000);

const CLIENTS = scaled(2_000, 600);
const PER_PROCESS = scaled(500, 300);
const DRAIN_S = scaled(20, 12);
const SPREAD_S = scaled(10, 4);
/** So many a second are told to come back, but never less than 200. */
const PER_SECOND = Math.max(200, CLIENTS / SPREAD_S);
/** How many may come back in one second: a busy machine keeps some waiting, who then come with others. */
const PEAK = PER_SECOND * scaled(1.5, 2);
/** Long enough for a busy machine to see who is still there. */
const DELAY_S = 3;

/** What a load balancer does, as far as it matters: the first node unless it refuses, else the second. */
async function balance(ports: readonly number[]): Promise<number> {
  const balancer = createTcpServer((client) => {
    const forward = ([port, ...others]: readonly number[]) => {
      if (port === undefined) return void client.destroy();
      const node = dial(port, "127.0.0.1");
      const refused = () => forward(others);
      node.once("error", refused);
      node.once("connect", () => {
        node.off("error", refused);
        node.on("error", () => client.destroy());
        node.on("close", () => client.destroy());
        client.on("close", () => node.destroy());
        client.pipe(node).pipe(client);
      });
    };
    client.on("error", () => {});
    forward(ports);
  });
  await new Promise<void>((resolve) => balancer.listen(0, "127.0.0.1", resolve));
  atEnd(() => balancer.close());
  const address = balancer.address();
  return typeof address === "object" && address ? address.port : 0;
}

async function countOn(url: string): Promise<number> {
  const body = (await (await signedFetch(url, APP, "GET", "/connections")).json()) as { connections: number };
  return body.connections;
}

test(`SIGTERM under ${CLIENTS} real pusher-js clients with a second node: unready first, then farewells in slices, no 1006, exit 0 within its time (scenario 38)`, async () => {
  const config = {
    drainDelayS: DELAY_S,
    drainTimeoutS: DRAIN_S,
    drainSpreadS: SPREAD_S,
    log: { level: "silent" as const },
  };
  const [first, second] = await Promise.all([startBareProcess({ config }), startBareProcess({ config })]);
  const port = await balance([first.port, second.port]);
  const program = [process.execPath, `${import.meta.dir}/programs/pusher-js.ts`] as const;
  const started = Array.from({ length: CLIENTS / PER_PROCESS }, () =>
    spawnCli([String(port), APP.key, String(PER_PROCESS)], { program: [...program] }),
  );
  await Promise.all(started.map((clients) => clients.prints(/^ready$/m, 60_000)));
  expect([await countOn(first.url), await countOn(second.url)]).toEqual([CLIENTS, 0]);

  const startedMs = Date.now();
  first.signal("SIGTERM");
  // Red while everybody is still there.
  await eventually(async () => expect((await fetch(`${first.url}/ready`)).status).toBe(503));
  expect(await countOn(first.url)).toBe(CLIENTS);
  // Then it takes nobody, while most are still there.
  await eventually(async () =>
    expect(
      await fetch(first.url).then(
        () => "answered",
        () => "refused",
      ),
    ).toBe("refused"),
  );
  expect((await first.ended(60_000)).code).toBe(0);
  expect(Date.now() - startedMs).toBeLessThan((DELAY_S + DRAIN_S) * 1000);

  await eventually(async () => expect(await countOn(second.url)).toBe(CLIENTS), { withinMs: 30_000 });
  const told = await Promise.all(
    started.map(async (clients) => {
      clients.signal("SIGTERM");
      const [, json = ""] = await clients.prints(/^told (.*)$/m, 30_000);
      return JSON.parse(json) as { codes: number[]; backAtMs: number[] };
    }),
  );
  const codes = told.flatMap((one) => one.codes);
  expect([codes.length, new Set(codes)]).toEqual([CLIENTS, new Set([4200])]);
  // Without a plan, all of them would come in the first second.
  const backAtMs = told.flatMap((one) => one.backAtMs).toSorted((a, b) => a - b);
  expect(backAtMs.length).toBe(CLIENTS);
  const peak = Math.max(...backAtMs.map((ms) => backAtMs.filter((other) => other >= ms && other < ms + 1000).length));
  expect(peak).toBeLessThanOrEqual(PEAK);
  expect((backAtMs.at(-1) ?? 0) - (backAtMs[0] ?? 0)).toBeGreaterThan(1_500);
});
