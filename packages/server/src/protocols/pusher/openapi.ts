/** The HTTP API as an OpenAPI 3.1 document, made of the routes and of the shapes that requests are checked by. */

import * as z from "zod/mini";
import { ApiError, CHANNEL } from "./api-shapes.ts";
import { API_ROUTES, type ApiRoute } from "./routes.ts";

type Schema = Readonly<Record<string, unknown>>;

/** Of what is in braces in a path. */
const NAMES: Readonly<Record<string, Schema>> = {
  channel: { type: "string", ...CHANNEL },
  user: { type: "string", minLength: 1, maxLength: 128 },
  connection: { type: "string", pattern: "^\\d+\\.\\d+$" },
  offset: { type: "string", pattern: "^\\d{1,15}$" },
};

const PRESENCE = { type: "string", ...CHANNEL, pattern: "^presence-[-a-zA-Z0-9_=@,.;]+$" };

const SIGNATURE = {
  auth_key: "The app's key.",
  auth_timestamp: "Unix seconds.",
  auth_version: "1.0",
  auth_signature: "HMAC-SHA256 of method, path and sorted query by the app's secret, in lower-case hex.",
  body_md5: "MD5 of the body, where there is one, in lower-case hex.",
};

export function openApiDocument(version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of API_ROUTES) {
    const path = `/apps/{app}${route.path}`;
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Fanfare",
      version,
      description: `Calls are signed as Pusher's: the query has ${Object.keys(SIGNATURE).join(", ")}. docs/protocol/pusher.md`,
    },
    paths,
    components: {
      schemas: { Error: schemaOf(ApiError, "output") },
      securitySchemes: {
        signature: { type: "apiKey", in: "query", name: "auth_signature", description: SIGNATURE.auth_signature },
      },
    },
    security: [{ signature: [] }],
  };
}

function operationOf({ method, path, summary, query, body, answer }: ApiRoute): object {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const inPath = ["app", ...names].map((name) => ({
    name,
    in: "path",
    required: true,
    // Others have no members.
    schema: name === "channel" && /\/(users|members)$/.test(path) ? PRESENCE : (NAMES[name] ?? { type: "string" }),
  }));
  const responses = {
    "200": { description: "Done.", content: { "application/json": { schema: schemaOf(answer, "output") } } },
    ...(summary.includes("connection") || path.endsWith("/events") ? ACCEPTED(answer) : {}),
    default: {
      description: "Refused: 400, 401, 403, 404, 410, 413, 429 or 503.",
      content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
    },
  };
  return {
    operationId: [method.toLowerCase(), ...path.split("/").slice(1)].join("_").replaceAll(/[{}]/g, ""),
    summary,
    parameters: [...inPath, ...(query ? parametersOf(query) : [])],
    ...(body && {
      requestBody: { required: true, content: { "application/json": { schema: schemaOf(body, "input") } } },
    }),
    responses,
  };
}

const ACCEPTED = (answer: ApiRoute["answer"]) => ({
  "202": {
    description: "Done as far as known.",
    content: { "application/json": { schema: schemaOf(answer, "output") } },
  },
});

function parametersOf(query: NonNullable<ApiRoute["query"]>): readonly object[] {
  const { properties = {}, required = [] } = schemaOf(query, "input") as {
    properties?: Record<string, Schema>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    ...(required.includes(name) && { required: true }),
    schema,
  }));
}

/** The shape as JSON Schema. What may be null in a request is as good as absent then, and is documented without. */
export function schemaOf(shape: z.ZodMiniType, io: "input" | "output"): Schema {
  const { $schema: _, ...schema } = z.toJSONSchema(shape, { io, unrepresentable: "any" });
  return io === "input" ? (withoutNull(schema) as Schema) : schema;
}

function withoutNull(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNull);
  if (typeof value !== "object" || value === null) return value;
  const { anyOf, ...rest } = value as { anyOf?: readonly Schema[]; type?: unknown };
  if (Array.isArray(rest.type)) return { ...rest, type: rest.type.find((type: unknown) => type !== "null") };
  const others = anyOf?.filter(({ type }) => type !== "null") ?? [];
  const [only] = others;
  if (only && others.length === 1) return withoutNull({ ...only, ...rest });
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutNull(each)]));
}
