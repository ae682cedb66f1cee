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
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import { isInternal } from "../../domain/channel.ts";
import type { EventPublication, Publication } from "../../domain/message.ts";
import type { Awaitable, Broker, Engine } from "../../domain/ports.ts";
import { QuietExporter } from "./quiet-exporter.ts";
import type { TraceParent, TraceStep } from "./trace-step.ts";

export interface TracingOptions {
  /** Where OTLP is taken over HTTP; `/v1/traces` is put behind it where it is not there. */
  readonly endpoint: string;
  readonly serviceName: string;
  /** From 0, nothing at all, to 1, everything. */
  readonly sampleRatio: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly version: string;
  /** What tells this process from the others. */
  readonly node: string;
  readonly failed: (error: unknown, during: string) => void;
}

/** Spans that wait for the next batch, at most; beyond it they are dropped. */
const QUEUE = 2_048;
const BATCH = 512;
const BATCH_EVERY_MS = 1_000;
const EXPORT_MS = 5_000;
/** How long the last spans may hold up a server that stops. */
const CLOSE_MS = 1_000;

export class Tracing {
  readonly #provider: BasicTracerProvider;
  readonly #context = new AsyncLocalStorage<Context>();
  readonly #isOn: boolean;

  constructor({ endpoint, serviceName, sampleRatio, headers, version, node, failed }: TracingOptions) {
    this.#isOn = sampleRatio > 0;
    const exporter = new OTLPTraceExporter({
      url: addressOf(endpoint),
      headers: { ...headers },
      timeoutMillis: EXPORT_MS,
    });
    const about = { "service.name": serviceName, "service.version": version, "service.instance.id": node };
    this.#provider = new BasicTracerProvider({
      resource: resourceFromAttributes(about),
      // Who calls with a trace of its own has decided already.
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
      spanProcessors: [
        new BatchSpanProcessor(new QuietExporter(exporter, failed), {
          maxQueueSize: QUEUE,
          maxExportBatchSize: BATCH,
          scheduledDelayMillis: BATCH_EVERY_MS,
          exportTimeoutMillis: EXPORT_MS,
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
  async close(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS);
    await Promise.race([this.#provider.shutdown().catch(() => {}), late]);
    clearTimeout(timer);
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
    try {
      receive(publication);
    } finally {
      span?.end();
    }
  }

  #begin(name: string, kind: SpanKind, attributes: Attributes, parent: Context): Span | undefined {
    if (!this.#isOn) return undefined;
    return this.#provider.getTracer("fanfare").startSpan(name, { kind, attributes }, parent);
  }
}

function addressOf(endpoint: string): string {
  const bare = endpoint.replace(/\/+$/, "");
  return bare.endsWith("/v1/traces") ? bare : `${bare}/v1/traces`;
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
    span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
  }
  span.end();
}
