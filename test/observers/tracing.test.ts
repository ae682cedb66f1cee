/** Traces, as a collector hears them: what is a part of what, across servers, and what they cost when nobody takes them. */

import { describe, expect, test } from "bun:test";
import { z } from "zod";
import type { ConfigInput } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { engineSettings } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { connectPusher, signedFetch, trigger } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { sqliteFile } from "../support/sqlite.ts";
import { oneOnEach, startWorkers } from "../support/workers.ts";

const attribute = z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) });
const Span = z.object({
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
  spanId: z.string().regex(/^[0-9a-f]{16}$/),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  startTimeUnixNano: z.string(),
  endTimeUnixNano: z.string(),
  attributes: z.array(attribute),
  status: z.object({ code: z.number().optional() }).optional(),
});
const Export = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attribute) }),
      scopeSpans: z.array(z.object({ spans: z.array(Span) })),
    }),
  ),
});
type Span = z.infer<typeof Span>;

function collector(answer: () => number | Promise<number> = () => 200) {
  const taken: { headers: Headers; path: string; service: unknown; spans: Span[] }[] = [];
  let asked = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      asked++;
      const status = await answer();
      const { resourceSpans } = Export.parse(await request.json());
      if (status === 200) {
        for (const { resource, scopeSpans } of resourceSpans) {
          const service = resource.attributes.find(({ key }) => key === "service.name")?.value.stringValue;
          const spans = scopeSpans.flatMap(({ spans: all }) => all);
          taken.push({ headers: request.headers, path: new URL(request.url).pathname, service, spans });
        }
      }
      return Response.json({}, { status });
    },
  });
  atEnd(() => server.stop(true));
  const spans = () => taken.flatMap((one) => one.spans);
  const one = (name: string, service?: string) => {
    const all = taken.filter((each) => service === undefined || each.service === service).flatMap((each) => each.spans);
    const [found, ...more] = all.filter((span) => span.name === name);
    if (!found || more.length > 0) throw new Error(`${more.length + (found ? 1 : 0)} spans are called ${name}.`);
    return found;
  };
  return { url: `http://127.0.0.1:${server.port}`, taken, spans, one, asked: () => asked };
}

function tracing(endpoint: string, more: ConfigInput["telemetry"] = {}): ConfigInput {
  const only = { metrics: false, logs: false, protocol: "http/json" } as const;
  return { telemetry: { endpoint, sampleRatio: 1, ...only, ...more } };
}

function said({ attributes }: Span): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

const EVENT = { name: "n", channel: "room", data: "x" };
const CALL = "POST /apps/:app/events";

describe("a trigger", () => {
  test("is a trace: the call, its publications, their deliveries", async () => {
    const there = collector();
    const server = await startServer(tracing(there.url, { serviceName: "chat", headers: { "x-key": "k" } }));
    const client = await connectPusher(server.url);
    await client.subscribe("room");
    await trigger(server.url, APP, { name: "n", channels: ["room", "hall"], data: "x" });
    await client.next("n");
    await eventually(() => expect(there.spans()).toHaveLength(4));
    const call = there.one(CALL);
    const published = there.spans().filter(({ name }) => name === "publish");
    expect(call.parentSpanId ?? "").toBe("");
    expect(said(call)).toMatchObject({ "http.request.method": "POST", "http.response.status_code": 200 });
    expect(published.map(({ parentSpanId }) => parentSpanId)).toEqual([call.spanId, call.spanId]);
    expect(published.map((span) => said(span)["messaging.destination.name"]).sort()).toEqual(["hall", "room"]);
    for (const span of there.spans().filter(({ name }) => name === "deliver")) {
      const of = published.find(({ spanId }) => spanId === span.parentSpanId);
      expect(of && said(of)["messaging.destination.name"]).toBe(said(span)["messaging.destination.name"]);
    }
    for (const span of there.spans()) {
      expect(span.traceId).toBe(call.traceId);
      expect(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano)).toBe(true);
      expect(JSON.stringify(span)).not.toContain(APP.secret);
    }
    const [first] = there.taken;
    expect([first?.path, first?.service, first?.headers.get("x-key")]).toEqual(["/v1/traces", "chat", "k"]);
  });

  test("goes on with the caller's trace, and says what could not be done", async () => {
    const there = collector();
    const server = await startServer(tracing(there.url, { sampleRatio: 0.000001 }));
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
    const call = async (traceparent: string) => {
      const answer = await signedFetch(server.url, APP, "POST", "/events", { body: {}, headers: { traceparent } });
      return answer.status;
    };
    for (const bad of ["", "00-0-0-01", `00-${"0".repeat(32)}-b7ad6b7169203331-01`]) await call(bad);
    expect(await call(traceparent)).toBe(400);
    await eventually(() => expect(there.spans()).toHaveLength(1));
    const span = there.one(CALL);
    expect([span.traceId, span.parentSpanId]).toEqual([traceId, "b7ad6b7169203331"]);
    expect(said(span)["http.response.status_code"]).toBe(400);
  });

  test("that is not signed rightly makes no span, whatever its caller wants traced", async () => {
    const there = collector();
    const server = await startServer(tracing(there.url));
    const headers = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
    const forged = { ...APP, secret: "another" };
    expect((await signedFetch(server.url, forged, "POST", "/events", { body: EVENT, headers })).status).toBe(401);
    const unknown = await fetch(`${server.url}/apps/nobody/events`, { method: "POST", body: "{}", headers });
    expect(unknown.status).toBe(404);
    await server.stop();
    expect(there.spans()).toEqual([]);
  });

  test.each(["redis", "nats"] as const)(
    "is delivered by another server in the same trace, through %s",
    async (engine) => {
      const there = collector();
      const where = await engineSettings(engine);
      const cluster = (serviceName: string) => startServer({ ...where, ...tracing(there.url, { serviceName }) });
      const [one, two] = [await cluster("one"), await cluster("two")];
      const client = await connectPusher(two.url);
      await client.subscribe("room");
      await trigger(one.url, APP, EVENT);
      await client.next("n");
      await eventually(() => expect(there.spans()).toHaveLength(3));
      const delivered = there.one("deliver", "two");
      expect(delivered.parentSpanId).toBe(there.one("publish", "one").spanId);
      expect(delivered.traceId).toBe(there.one(CALL, "one").traceId);
    },
    30_000,
  );

  test("is delivered by each of several workers in the same trace", async () => {
    const there = collector();
    const workers = await startWorkers(tracing(there.url));
    const placed = await oneOnEach(workers.url, 2);
    for (const { client } of placed) await client.subscribe("room");
    await trigger(workers.url, APP, EVENT);
    for (const { client } of placed) await client.next("n");
    await eventually(() => expect(there.spans()).toHaveLength(4));
    const [call, published] = [there.one(CALL), there.one("publish")];
    const delivered = there.spans().filter(({ name }) => name === "deliver");
    expect(delivered.map(({ parentSpanId }) => parentSpanId)).toEqual([published.spanId, published.spanId]);
    expect(new Set(there.spans().map(({ traceId }) => traceId))).toEqual(new Set([call.traceId]));
  }, 60_000);

  test("that comes from a client begins at the publication", async () => {
    const there = collector();
    const server = await startServer(tracing(there.url));
    const [one, two] = [await connectPusher(server.url), await connectPusher(server.url)];
    await one.subscribe("private-room");
    await two.subscribe("private-room");
    one.send("client-hi", "x", "private-room");
    const heard = await two.next("client-hi");
    expect(JSON.stringify(heard)).not.toContain("trace");
    await eventually(() => expect(there.spans()).toHaveLength(2));
    expect(there.one("deliver").parentSpanId).toBe(there.one("publish").spanId);
    expect(there.one("publish").parentSpanId ?? "").toBe("");
  });
});

test("a webhook is a step, and its receiver is handed the trace", async () => {
  const there = collector();
  const parents: (string | null)[] = [];
  let asked = 0;
  const receiver = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      parents.push(request.headers.get("traceparent"));
      return new Response(null, { status: ++asked === 1 ? 500 : 200 });
    },
  });
  atEnd(() => receiver.stop(true));
  const hook = { url: `http://127.0.0.1:${receiver.port}/secret-path`, events: ["channel_occupied"] as const };
  const server = await startServer(
    { database: { url: sqliteFile() }, webhooks: { allowPrivate: true }, ...tracing(there.url) },
    { webhooks: [{ ...hook, events: [...hook.events] }] },
  );
  await (await connectPusher(server.url)).subscribe("room");
  await eventually(() => expect(there.spans().filter(({ name }) => name === "webhook")).toHaveLength(2), {
    withinMs: 15_000,
  });
  const steps = there.spans().filter(({ name }) => name === "webhook");
  expect(parents).toEqual(steps.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`));
  expect(steps.map(({ status }) => status?.code)).toEqual([2, 0]);
  expect(steps.map((span) => Number(said(span)["fanfare.webhook.attempt"]))).toEqual([1, 2]);
  expect(JSON.stringify(steps)).not.toContain("secret-path");
}, 60_000);

test("nothing is sent with a ratio of 0, not even what the caller wants traced", async () => {
  const there = collector();
  const server = await startServer(tracing(there.url, { sampleRatio: 0 }));
  for (let n = 0; n < 20; n++) await trigger(server.url, APP, EVENT);
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await signedFetch(server.url, APP, "POST", "/events", { body: EVENT, headers: { traceparent } });
  await server.stop();
  expect(there.asked()).toBe(0);
});

describe("a collector", () => {
  test("that is stopping the last spans is waited for", async () => {
    const there = collector();
    const server = await startServer(tracing(there.url));
    await trigger(server.url, APP, EVENT);
    await server.stop();
    expect(there.one(CALL).name).toBe(CALL);
  });

  test.each([
    ["is not there", () => "http://127.0.0.1:1"],
    ["never answers", () => collector(() => new Promise<number>(() => {})).url],
    ["takes nothing", () => collector(() => 400).url],
  ])(
    "that %s costs no message, no memory without end, and one line in the log",
    async (_, where) => {
      const server = await startServer(tracing(where()));
      const failures: unknown[] = [];
      server.on("error", (error, during) => failures.push(`${during}: ${error}`));
      const client = await connectPusher(server.url);
      await client.subscribe("room");
      for (let n = 0; n < 3_000; n++) await server.toChannel("room").push({ event: "n", data: n });
      for (let n = 0; n < 3_000; n++) expect(Number((await client.next("n")).data)).toBe(n);
      const answer = await signedFetch(server.url, APP, "GET", "/apps/app/channels");
      expect(answer.status).toBe(200);
      const beforeMs = performance.now();
      await server.stop();
      expect(performance.now() - beforeMs).toBeLessThan(8_000);
      expect(failures.length).toBeLessThanOrEqual(1);
    },
    60_000,
  );
});

// prom-client reads the first of them, which only has the words.
test("without the setting none of its libraries but the API is read", async () => {
  const program = `
    import { createServer } from "${new URL("../../packages/server/src/index.ts", import.meta.url).pathname}";
    const server = createServer({ host: "127.0.0.1", port: 0, log: { level: "silent" }, ...JSON.parse(process.env.MORE) });
    await server.start();
    console.log(JSON.stringify(Object.keys(require.cache).filter((name) => /@opentelemetry.(sdk|exporter|otlp|core)/.test(name))));
    await server.stop();`;
  const read = async (more: ConfigInput) => {
    const MORE = JSON.stringify({ apps: [APP], ...more });
    const child = Bun.spawn([process.execPath, "-e", program], { env: { ...process.env, MORE }, stderr: "inherit" });
    return JSON.parse(await new Response(child.stdout).text()).length;
  };
  expect(await read({})).toBe(0);
  expect(await read(tracing("http://127.0.0.1:1"))).toBeGreaterThan(0);
}, 60_000);
