/**
 * OpenTelemetry traces: a call of the HTTP API, the publications that it makes, their deliveries on each node, and webhooks.
 * Loaded only where tracing is configured; otherwise no engine is wrapped and no call looked at.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";
import {
  JsonTraceSerializer,
  ProtobufTraceSerializer,
  TraceExporterMetricsHelper,
} from "@opentelemetry/otlp-transformer";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import { isInternal } from "../../domain/channel.ts";
import type { EventPublication, Publication } from "../../domain/message.ts";
import type { Awaitable, Broker, Engine } from "../../domain/ports.ts";
import { messageOf } from "../../domain/thrown.ts";
import type { TraceParent, TraceStep } from "../../domain/trace-step.ts";
import { closeSoon, type OtlpOptions, otlpExporter, resourceOf } from "./otlp.ts";

export interface TracingOptions extends OtlpOptions {
  readonly url: string;
  /** As OTEL_TRACES_SAMPLER names them. */
  readonly sampler: string;
  /** From 0, nothing at all, to 1, everything. */
  readonly sampleRatio: number;
  /** Native clients are told of the step that hands an event to them. */
  readonly traceparent: boolean;
}

/** Spans that wait for the next batch, at most; beyond it they are dropped. */
const QUEUE = 2_048;
const BATCH = 512;
const BATCH_EVERY_MS = 1_000;

export class Tracing {
  readonly #provider: BasicTracerProvider;
  readonly #context = new AsyncLocalStorage<Context>();
  readonly #isOn: boolean;
  readonly #tellsClients: boolean;

  constructor(options: TracingOptions) {
    const { url, sampler, sampleRatio, traceparent, settings } = options;
    this.#tellsClients = traceparent;
    this.#isOn = sampler !== "always_off" && (sampleRatio > 0 || !sampler.endsWith("traceidratio"));
    const exporter = otlpExporter("traces", url, options, {
      protobuf: ProtobufTraceSerializer,
      json: JsonTraceSerializer,
      helper: TraceExporterMetricsHelper,
    });
    this.#provider = new BasicTracerProvider({
      resource: resourceOf(options),
      sampler: samplerOf(sampler, sampleRatio),
      spanProcessors: [
        new BatchSpanProcessor(exporter, {
          maxQueueSize: QUEUE,
          maxExportBatchSize: BATCH,
          scheduledDelayMillis: BATCH_EVERY_MS,
          exportTimeoutMillis: settings.timeoutS * 1000,
        }),
      ],
    });
  }

  /** A call of the HTTP API that is known to be its app's: nobody else's trace is gone on with. What it publishes is a part of it. */
  readonly call = async (request: Request, path: string, answer: () => Promise<Response>): Promise<Response> => {
    const attributes = { "http.request.method": request.method, "url.path": path };
    const parent = remote(request.headers.get("traceparent"));
    const span = this.#begin(`${request.method} ${patternOf(path)}`, SpanKind.SERVER, attributes, parent);
    if (!span) return answer();
    try {
      const response = await this.#context.run(trace.setSpan(ROOT_CONTEXT, span), answer);
      span.setAttribute("http.response.status_code", response.status);
      if (response.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      return response;
    } finally {
      span.end();
    }
  };

  /** A request to a receiver of webhooks, which is handed the trace. */
  webhook(app: string, url: string, events: number, attempt: number): TraceStep {
    const { host } = new URL(url);
    const attributes = {
      "fanfare.app": app,
      "server.address": host,
      "fanfare.webhook.events": events,
      "fanfare.webhook.attempt": attempt,
    };
    const span = this.#begin("webhook", SpanKind.CLIENT, attributes, ROOT_CONTEXT);
    return { parent: span ? parentOf(span) : "", end: (error) => span && end(span, error) };
  }

  /** The same engine, whose publications and deliveries are steps. */
  engine(engine: Engine): Engine {
    if (!this.#isOn) return engine;
    const { broker, registry, ledger, name } = engine;
    return {
      ...{ name, registry, ledger },
      broker: this.#broker(broker),
      start: (host) => engine.start({ ...host, receive: (publication) => this.#deliver(host.receive, publication) }),
      health: () => engine.health(),
      nodes: () => engine.nodes(),
      close: () => engine.close(),
    };
  }

  /** Sends what waits, if that is possible soon. */
  close(): Promise<void> {
    return closeSoon(this.#provider.shutdown());
  }

  // ---- private

  #broker(broker: Broker): Broker {
    return {
      ...(broker.expireKey && { expireKey: broker.expireKey.bind(broker) }),
      subscribe: (app, channel) => broker.subscribe(app, channel),
      unsubscribe: (app, channel) => broker.unsubscribe(app, channel),
      history: (...query) => broker.history(...query),
      purge: (...range) => broker.purge(...range),
      publish: (publication, keep) => {
        if (publication.type !== "event") return broker.publish(publication, keep);
        return this.#publishing(publication, (traced) => broker.publish(traced, keep));
      },
      publishOnce: (publication, once, keep) =>
        this.#publishing(publication, (traced) => broker.publishOnce(traced, once, keep)),
    };
  }

  #publishing<Answer>(
    publication: EventPublication,
    publish: (publication: EventPublication) => Awaitable<Answer>,
  ): Awaitable<Answer> {
    const attributes = { ...about(publication), "fanfare.event": publication.event };
    const span = this.#begin("publish", SpanKind.PRODUCER, attributes, this.#context.getStore() ?? ROOT_CONTEXT);
    if (!span?.isRecording()) return publish(publication);
    return ending(span, () => publish({ ...publication, trace: parentOf(span) }));
  }

  #deliver(receive: (publication: Publication) => void, publication: Publication): void {
    const parent = publication.type === "event" ? publication.trace : undefined;
    if (parent === undefined || isInternal(publication.channel)) return receive(publication);
    const span = this.#begin("deliver", SpanKind.CONSUMER, about(publication), remote(parent));
    const told = this.#tellsClients && span?.isRecording() ? { traceparent: parentOf(span) } : undefined;
    try {
      receive(told && publication.type === "event" ? { ...publication, ...told } : publication);
    } finally {
      span?.end();
    }
  }

  #begin(name: string, kind: SpanKind, attributes: Attributes, parent: Context): Span | undefined {
    if (!this.#isOn) return undefined;
    return this.#provider.getTracer("fanfare").startSpan(name, { kind, attributes }, parent);
  }
}

function samplerOf(name: string, ratio: number): Sampler {
  const root = name.endsWith("traceidratio")
    ? new TraceIdRatioBasedSampler(ratio)
    : name.endsWith("always_on")
      ? new AlwaysOnSampler()
      : new AlwaysOffSampler();
  return name.startsWith("parentbased_") ? new ParentBasedSampler({ root }) : root;
}

/** Without what somebody may have made up. */
function patternOf(path: string): string {
  const [, rest = ""] = /\/apps\/[^/]+\/(.*)$/.exec(path) ?? [];
  const [first = "", second, last] = rest.split("/");
  const known = new Set(["events", "batch_events", "channels", "users", "connections"]);
  if (!known.has(first)) return "/apps/:app/*";
  return ["/apps/:app", first, ...(second === undefined ? [] : [":name"]), ...(last === undefined ? [] : ["*"])].join(
    "/",
  );
}

function about({ app, channel }: Publication): Attributes {
  return { "fanfare.app": app, "messaging.destination.name": channel, "messaging.system": "fanfare" };
}

function remote(parent: string | null): Context {
  const context = parent === null ? null : parseTraceParent(parent);
  return context ? trace.setSpanContext(ROOT_CONTEXT, { ...context, isRemote: true }) : ROOT_CONTEXT;
}

function parentOf(span: Span): TraceParent {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

function ending<T>(span: Span, work: () => Awaitable<T>): Awaitable<T> {
  try {
    const done = work();
    if (!(done instanceof Promise)) {
      span.end();
      return done;
    }
    return done.then(
      (value) => {
        span.end();
        return value;
      },
      (error) => {
        end(span, error);
        throw error;
      },
    );
  } catch (error) {
    end(span, error);
    throw error;
  }
}

function end(span: Span, error: unknown): void {
  if (error !== undefined) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) });
  }
  span.end();
}
