/** What a collector gets by OTLP in protobuf, set up by the standard variables: traces, metrics and logs. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { createClient } from "../../packages/client/src/index.ts";
import { startBareProcess, subscribers } from "../faults/process.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP, socketUrl, startServer } from "../support/server.ts";
import { startCollector, valuesOf } from "./otlp.ts";

setDefaultTimeout(60_000);

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const PATIENCE = { withinMs: 40_000, everyMs: 30 };

function hex(bytes: string | undefined): string {
  return Buffer.from(bytes ?? "", "base64").toString("hex");
}

test("with nothing but the standard variables, a collector gets the traces, the numbers and the log", async () => {
  const collector = startCollector();
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: "x-api-key=a%20key,x-team=blue",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    OTEL_EXPORTER_OTLP_TIMEOUT: "3000",
    OTEL_SERVICE_NAME: "chat",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test,service.name=overruled",
    OTEL_TRACES_SAMPLER: "always_on",
    OTEL_METRIC_EXPORT_INTERVAL: "1000",
  };
  const server = await startBareProcess({ env, config: { apps: [{ ...APP, anonymous: true }] } });
  const client = await connectNative(server.url);
  await client.subscribe("room");
  const body = { name: "n", channel: "room", data: "x" };
  await signedFetch(server.url, APP, "POST", "/events", { body, headers: { traceparent: TRACEPARENT } });
  const delivered = await client.next((frame) => frame.event === "n");
  expect(delivered).not.toHaveProperty("traceparent");

  await eventually(() => expect(collector.items("traces")).toHaveLength(3), PATIENCE);
  const spans = collector.items("traces");
  for (const span of spans) expect(hex(span.trace_id)).toBe(TRACE);
  const byName = new Map(spans.map((span) => [span.name, span]));
  expect(hex(byName.get("POST /apps/:app/events")?.parent_span_id)).toBe("b7ad6b7169203331");
  expect(byName.get("deliver")?.parent_span_id).toBe(byName.get("publish")?.span_id);

  await eventually(() => {
    const points = (name: string) =>
      collector
        .items("metrics")
        .filter((one) => one.name === name)
        .at(-1);
    const published = points("fanfare_publications_total");
    expect(published?.sum).toMatchObject({ temporality: 2, is_monotonic: true });
    const backEnd = published?.sum?.points.find(({ attributes }) => valuesOf(attributes).by === "backend");
    expect(backEnd?.as_double).toBe(1);
    expect(points("fanfare_connections")?.gauge?.points.map(({ as_double }) => as_double)).toEqual([1]);
    const took = points("fanfare_publish_seconds");
    const [point] = took?.histogram?.points ?? [];
    expect([took?.unit, took?.histogram?.temporality, point?.count]).toEqual(["s", 2, 1]);
    expect(point?.bucket_counts?.reduce((sum, one) => sum + one, 0)).toBe(1);
    expect(point?.bucket_counts).toHaveLength((point?.explicit_bounds?.length ?? 0) + 1);
  }, PATIENCE);

  await eventually(() => {
    const line = collector.items("logs").find(({ body: said }) => said?.string_value === "listening");
    expect(line).toMatchObject({ severity_number: 9, severity_text: "INFO" });
    expect(valuesOf(line?.attributes)).toMatchObject({ url: server.url });
  }, PATIENCE);

  expect(new Set(collector.taken.map(({ signal }) => signal))).toEqual(new Set(["traces", "metrics", "logs"]));
  for (const { headers, resource } of collector.taken) {
    expect(headers.get("content-type")).toBe("application/x-protobuf");
    expect([headers.get("x-api-key"), headers.get("x-team")]).toEqual(["a key", "blue"]);
    expect(resource).toMatchObject({ "service.name": "chat", "deployment.environment.name": "test" });
  }
  expect(JSON.stringify(collector.taken)).not.toContain(APP.secret);
});

test("what is switched off is not sent, and no parent overrules a sampler that asks for none", async () => {
  const collector = startCollector();
  const off = { endpoint: collector.url, metricsIntervalS: 1 };
  const one = await startServer({
    telemetry: { ...off, sampler: "traceidratio", sampleRatio: 1, metrics: false, logs: false },
  });
  const two = await startServer({ telemetry: { ...off, sampler: "always_off", metrics: false, logs: false } });
  const three = await startServer({ telemetry: { ...off, enabled: false } });
  const body = { name: "n", channel: "room", data: "x" };
  for (const { url } of [one, two, three]) {
    const answer = await signedFetch(url, APP, "POST", "/events", { body, headers: { traceparent: TRACEPARENT } });
    expect(answer.status).toBe(200);
  }
  for (const server of [one, two, three]) await server.stop();
  expect(collector.taken.map(({ signal }) => signal)).toEqual(["traces"]);
  expect(
    collector
      .items("traces")
      .map(({ name }) => name)
      .sort(),
  ).toEqual(["POST /apps/:app/events", "publish"]);
});

test("a trace that begins in the back end goes on in a native client that is told of it", async () => {
  const collector = startCollector();
  const telemetry = { tracesEndpoint: `${collector.url}/v1/traces`, traceparent: true };
  const server = await startServer({ telemetry }, { anonymous: true });
  const library = createClient({ url: socketUrl(server.url) });
  atEnd(() => library.close());
  const metas: object[] = [];
  library.channel("room").on("n", (_, meta) => metas.push(meta));
  await eventually(async () => expect(await subscribers(server.url, "room")).toBe(1), PATIENCE);
  const client = await connectNative(server.url);
  await client.subscribe("room");
  const body = { name: "n", channel: "room", data: "x" };
  await signedFetch(server.url, APP, "POST", "/events", { body, headers: { traceparent: TRACEPARENT } });
  const { traceparent } = await client.next((frame) => frame.event === "n");
  await eventually(() => expect(metas).toHaveLength(1), PATIENCE);
  expect(metas).toEqual([expect.objectContaining({ event: "n", traceparent })]);
  await eventually(() => expect(collector.items("traces")).toHaveLength(3), PATIENCE);
  const deliver = collector.items("traces").find(({ name }) => name === "deliver");
  expect(traceparent).toBe(`00-${TRACE}-${hex(deliver?.span_id)}-01`);
});
