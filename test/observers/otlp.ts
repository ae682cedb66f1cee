/** A collector: takes OTLP over HTTP in protobuf, and reads it by the numbers that the protocol gives its fields. */

import protobuf from "protobufjs";
import { atEnd } from "../support/at-end.ts";

const { root } = protobuf.parse(
  `syntax = "proto3";
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message Scope { string name = 1; string version = 2; }

  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; fixed64 start_time_unix_nano = 7;
    repeated KeyValue attributes = 9;
  }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scopes = 2; }
  message Traces { repeated ResourceSpans resources = 1; }

  message NumberPoint {
    fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; double as_double = 4; sfixed64 as_int = 6;
    repeated KeyValue attributes = 7;
  }
  message HistogramPoint {
    fixed64 time_unix_nano = 3; fixed64 count = 4; double sum = 5; repeated fixed64 bucket_counts = 6;
    repeated double explicit_bounds = 7; repeated KeyValue attributes = 9;
  }
  message Gauge { repeated NumberPoint points = 1; }
  message Sum { repeated NumberPoint points = 1; int32 temporality = 2; bool is_monotonic = 3; }
  message Histogram { repeated HistogramPoint points = 1; int32 temporality = 2; }
  message Metric {
    string name = 1; string description = 2; string unit = 3; Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9;
  }
  message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; }
  message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scopes = 2; }
  message Metrics { repeated ResourceMetrics resources = 1; }

  message LogRecord {
    fixed64 time_unix_nano = 1; int32 severity_number = 2; string severity_text = 3; AnyValue body = 5;
    repeated KeyValue attributes = 6;
  }
  message ScopeLogs { Scope scope = 1; repeated LogRecord records = 2; }
  message ResourceLogs { Resource resource = 1; repeated ScopeLogs scopes = 2; }
  message Logs { repeated ResourceLogs resources = 1; }`,
  { keepCase: true },
);

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

export interface Point {
  readonly as_double?: number;
  readonly count?: number;
  readonly sum?: number;
  readonly bucket_counts?: readonly number[];
  readonly explicit_bounds?: readonly number[];
  readonly attributes?: readonly KeyValue[];
}

export interface Item {
  readonly name: string;
  readonly trace_id?: string;
  readonly span_id?: string;
  readonly parent_span_id?: string;
  readonly unit?: string;
  readonly gauge?: { readonly points: readonly Point[] };
  readonly sum?: { readonly points: readonly Point[]; readonly temporality: number; readonly is_monotonic: boolean };
  readonly histogram?: { readonly points: readonly Point[]; readonly temporality: number };
  readonly severity_number?: number;
  readonly severity_text?: string;
  readonly body?: { readonly string_value: string };
  readonly attributes?: readonly KeyValue[];
}

export interface Taken {
  readonly signal: string;
  readonly headers: Headers;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly items: readonly Item[];
}

interface Message {
  readonly resources: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopes: readonly { readonly spans?: Item[]; readonly metrics?: Item[]; readonly records?: Item[] }[];
  }[];
}

const TYPES: Readonly<Record<string, string>> = { traces: "Traces", metrics: "Metrics", logs: "Logs" };

export function valuesOf(attributes: readonly KeyValue[] = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

/** Ends with the test. */
export function startCollector() {
  const taken: Taken[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const [, signal = ""] = /\/v1\/(\w+)$/.exec(new URL(request.url).pathname) ?? [];
      const type = root.lookupType(TYPES[signal] ?? "");
      const decoded = type.decode(new Uint8Array(await request.arrayBuffer()));
      const { resources } = type.toObject(decoded, { longs: Number, bytes: String }) as unknown as Message;
      for (const { resource, scopes } of resources) {
        const items = scopes.flatMap(({ spans = [], metrics = [], records = [] }) => [
          ...spans,
          ...metrics,
          ...records,
        ]);
        taken.push({ signal, headers: request.headers, resource: valuesOf(resource.attributes), items });
      }
      return new Response(new Uint8Array(), { headers: { "Content-Type": "application/x-protobuf" } });
    },
  });
  atEnd(() => server.stop(true));
  const items = (signal: string) => taken.flatMap((each) => (each.signal === signal ? each.items : []));
  return { url: `http://127.0.0.1:${server.port}`, taken, items };
}
