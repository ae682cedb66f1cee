/** What is served over HTTP as an OpenAPI 3.1 document: the API of back ends, and what clients, load balancers and operators ask for. */

import * as z from "zod/mini";
import manifest from "../../../package.json" with { type: "json" };
import { ApiError, Nodes } from "../../protocols/pusher/api-shapes.ts";
import { openApiDocument, schemaOf } from "../../protocols/pusher/openapi.ts";
import { getRoute, type Route } from "./router.ts";

interface Parameter {
  readonly name: string;
  readonly description: string;
  readonly required?: true;
  readonly pattern?: string;
}

interface ServerRoute {
  readonly method: "get" | "post";
  readonly path: string;
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  /** Media types of a body, which is none that the document describes further: commands of the native protocol, one a line. */
  readonly takes?: readonly string[];
  /** By status: a shape of JSON, or the media types of what is described elsewhere. Absent for no content. */
  readonly answers: Readonly<Record<string, z.ZodMiniType | readonly string[] | undefined>>;
}

const Health = z.object({ status: z.literal("ok") });
const Ready = z.object({ status: z.literal("ready") });
const Unready = z.object({
  status: z.literal("unready"),
  reasons: z.array(z.object({ code: z.string(), message: z.string() })),
});
const Poll = z.object({ session: z.string(), seq: z.int(), frames: z.array(z.looseObject({})) });
/** Commands before these are missing: `expected` is the number of the first that is. */
const Ahead = z.object({ error: z.string(), code: z.string(), expected: z.optional(z.int()) });

const STREAMS = ["application/x-ndjson", "text/event-stream"];
const COMMANDS = ["application/x-ndjson", "text/plain"];
const KEY: Parameter = { name: "app", description: "The app's key; without it the first app's." };
const SESSION: Parameter = { name: "session", description: "The session of an earlier answer.", required: true };
const SEQ: Parameter = {
  ...{ name: "seq", description: "The number of the first command since the session began, from 1." },
  ...{ required: true, pattern: "^\\d{1,15}$" },
};
const AGAIN: readonly Parameter[] = [
  KEY,
  { name: "session", description: "The session to read on from; without it one is opened." },
  { name: "ack", description: "The number of the last frame that was received.", pattern: "^\\d{1,15}$" },
];
/** 410: the session is gone. */
const REFUSED = {
  "400": ApiError,
  "401": ApiError,
  "403": ApiError,
  "404": ApiError,
  "410": ApiError,
  "503": ApiError,
};

export const SERVER_ROUTES: readonly ServerRoute[] = [
  { method: "get", path: "/health", summary: "Whether the process lives.", answers: { "200": Health } },
  {
    method: "get",
    path: "/ready",
    summary: "Whether a load balancer should send clients here.",
    answers: { "200": Ready, "503": Unready },
  },
  {
    method: "get",
    path: "/nodes",
    summary: "The nodes that clients may connect to; only where `nodeUrl` is set.",
    parameters: [KEY, { name: "strategy", description: "round_robin, random or least_connections." }],
    answers: { "200": Nodes, "400": ApiError, "403": ApiError, "404": ApiError, "503": ApiError },
  },
  {
    method: "get",
    path: "/metrics",
    summary:
      "The server's numbers, for Prometheus. By `Authorization: Bearer` with `metrics.token`, or from `metrics.allowIps`.",
    answers: { "200": ["text/plain"], "403": ApiError, "503": ApiError },
  },
  {
    method: "get",
    path: "/openapi.json",
    summary: "This document, in development or where `openapi` is on.",
    answers: { "200": ["application/json"] },
  },
  {
    method: "post",
    path: "/rt/stream",
    summary:
      "Opens a session of the native protocol and streams its frames, or reads on from one. docs/protocol/native.md",
    parameters: AGAIN,
    takes: COMMANDS,
    answers: { "200": STREAMS, ...REFUSED, "413": ApiError, "415": ApiError, "429": ApiError },
  },
  {
    method: "get",
    path: "/rt/stream",
    summary: "The same for an EventSource.",
    parameters: AGAIN,
    answers: { "200": ["text/event-stream"], ...REFUSED },
  },
  {
    method: "post",
    path: "/rt/send",
    summary: "Sends commands of the native protocol, one a line.",
    parameters: [SESSION, SEQ],
    takes: COMMANDS,
    answers: { "204": undefined, ...REFUSED, "409": Ahead, "413": ApiError, "415": ApiError, "429": ApiError },
  },
  {
    method: "post",
    path: "/rt/poll",
    summary: "Waits for frames of a session, or opens one.",
    parameters: AGAIN,
    takes: COMMANDS,
    answers: { "200": Poll, ...REFUSED, "413": ApiError, "415": ApiError, "429": ApiError },
  },
  {
    method: "post",
    path: "/rt/close",
    summary: "Ends a session.",
    parameters: [SESSION],
    answers: { "204": undefined, ...REFUSED },
  },
  {
    method: "get",
    path: "/rt/events",
    summary: "One-way server-sent events of channels.",
    parameters: [
      KEY,
      { name: "channels", description: "The channels, with commas between them.", required: true },
      { name: "rewind", description: "So many events, or seconds, of before: 20 or 60s.", pattern: "^\\d{1,9}s?$" },
      { name: "full", description: "1: the data of each event are the whole frame." },
      { name: "last_event_id", description: "The id of the last event that the reader has kept." },
      { name: "token", description: "A JWT, where `Authorization: Bearer` cannot be sent." },
    ],
    answers: { "200": ["text/event-stream"], ...REFUSED },
  },
];

interface Document {
  readonly paths: Readonly<Record<string, object>>;
}

export function serverDocument(version: string): object {
  const api = openApiDocument(version) as Document;
  const paths: Record<string, object> = { ...api.paths };
  for (const route of SERVER_ROUTES) paths[route.path] = { ...paths[route.path], [route.method]: operationOf(route) };
  return { ...api, paths };
}

function operationOf({ method, path, summary, parameters = [], takes, answers }: ServerRoute): object {
  const operationId = [method, ...path.split(/[/.]/).slice(1)].join("_");
  return {
    operationId,
    summary,
    security: [],
    parameters: parameters.map(({ name, description, required, pattern }) => ({
      ...{ name, in: "query", description, ...(required && { required }) },
      schema: { type: "string", ...(pattern !== undefined && { pattern }) },
    })),
    ...(takes && { requestBody: { content: contentOf(takes) } }),
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, answer]) => [status, responseOf(status, answer)]),
    ),
  };
}

function responseOf(status: string, answer: ServerRoute["answers"][string]): object {
  const description = status < "300" ? "Done." : "Refused.";
  if (answer === undefined) return { description };
  if (answer === ApiError) return { description, content: jsonOf({ $ref: "#/components/schemas/Error" }) };
  if (Array.isArray(answer)) return { description, content: contentOf(answer) };
  return { description, content: jsonOf(schemaOf(answer as z.ZodMiniType, "output")) };
}

function jsonOf(schema: object): object {
  return { "application/json": { schema } };
}

function contentOf(types: readonly string[]): object {
  return Object.fromEntries(types.map((type) => [type, { schema: { type: "string" } }]));
}

/** `/openapi.json`. Made when it is first asked for: in production hardly anybody does. */
export function openApiRoute(prefix: string, isServed: boolean): Route {
  if (!isServed) return () => undefined;
  let text: string | undefined;
  return getRoute(prefix, "/openapi.json", () => {
    text ??= JSON.stringify(serverDocument(manifest.version));
    return new Response(text, { headers: { "Content-Type": "application/json", "Cache-Control": "no-store" } });
  });
}
