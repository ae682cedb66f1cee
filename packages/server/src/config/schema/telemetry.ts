/** What an OpenTelemetry collector is sent: traces, metrics and logs, with the meaning that the standard variables give it. */

import {
  boolean,
  headers,
  oneOf,
  optional,
  ratio,
  seconds,
  section,
  text,
  textMap,
  textOrEmpty,
  WEB_ADDRESS,
  withDefault,
} from "./fields.ts";

/** As OTEL_TRACES_SAMPLER names them. */
const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

const endpointOf = (what: string) =>
  text(`Another address for ${what} alone, the whole of it: \`http://127.0.0.1:4318/v1/${what}\`.`, WEB_ADDRESS).apply(
    optional,
  );

export const telemetry = section("OpenTelemetry: traces, metrics and logs for a collector (OTLP over HTTP).", {
  enabled: boolean("Off: nothing is sent, whatever else is set.").apply(withDefault, true),
  endpoint: text(
    "Where a collector takes them, `http://127.0.0.1:4318`; the path of each is put behind it. Without it, only what has an address of its own is sent.",
    WEB_ADDRESS,
  ).apply(optional),
  traces: boolean("Traces are sent.").apply(withDefault, true),
  metrics: boolean("The numbers of `/metrics` are sent.").apply(withDefault, true),
  logs: boolean("The lines of the log are sent.").apply(withDefault, true),
  tracesEndpoint: endpointOf("traces"),
  metricsEndpoint: endpointOf("metrics"),
  logsEndpoint: endpointOf("logs"),
  protocol: oneOf("How they are written.", ["http/protobuf", "http/json"]).apply(withDefault, "http/protobuf"),
  headers: headers("Headers for the collector.").apply(withDefault, {}),
  timeoutS: seconds("Time the collector has to answer, in seconds.", 0.1).apply(withDefault, 10),
  serviceName: textOrEmpty("What the server is called there.").apply(withDefault, "fanfare"),
  resource: textMap("More about the server, such as `deployment.environment.name`.").apply(withDefault, {}),
  sampler: oneOf(
    "Which traces are recorded. With `parentbased_…` whoever calls with a trace of its own has decided already.",
    SAMPLERS,
  ).apply(withDefault, "parentbased_traceidratio"),
  sampleRatio: ratio("For `…traceidratio`: which part, 0 for none at all, 1 for all.").apply(withDefault, 0.01),
  metricsIntervalS: seconds("How often metrics are sent, in seconds.", 1).apply(withDefault, 60),
  traceparent: boolean(
    "Native clients get the `traceparent` of events whose trace is recorded, so that it can end in them.",
  ).apply(withDefault, false),
});
