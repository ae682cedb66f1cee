/** The document of the HTTP API is true: what it allows is not refused as wrong, what is answered has the shape it says, and no route lacks. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import * as z from "zod/mini";
import { ApiError } from "../../packages/server/src/protocols/pusher/api-shapes.ts";
import { API_ROUTES } from "../../packages/server/src/protocols/pusher/routes.ts";
import { SERVER_ROUTES } from "../../packages/server/src/server/http/openapi-document.ts";
import { OPENAPI_DOCUMENT, renderOpenApi } from "../../scripts/openapi.ts";
import { makeToken } from "../support/native-client.ts";
import { signedFetch } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";
import { scaled } from "../support/soak.ts";
import { settings } from "./arbitraries.ts";

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly { readonly required: readonly string[] }[];
  readonly items?: Schema;
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly examples?: readonly unknown[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
}

interface Operation {
  readonly parameters: readonly {
    readonly name: string;
    readonly in: "path" | "query";
    readonly required?: boolean;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: { readonly "application/json": { readonly schema: Schema } } };
}

const description = JSON.parse(renderOpenApi()) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};
/** They name a place that has to be known, or exclude each other: `test/flow/history-api.test.ts` is about them. */
const OF_ANOTHER_ANSWER = new Set(["after", "before", "cursor", "epoch", "to_ms"]);

/** Any value that the schema allows. */
function anyOfSchema(schema: Schema): fc.Arbitrary<unknown> {
  const { type, minLength = 0, maxLength = 20 } = schema;
  if (schema.examples) return fc.constantFrom(...schema.examples);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if ("const" in schema) return fc.constant(schema.const);
  switch (type) {
    case "object":
      return objectOf(schema);
    case "array":
      return fc.array(anyOfSchema(schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: 3 });
    case "integer":
      return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 1_000 });
    case "number":
      return fc.double({ min: schema.minimum ?? 1, max: schema.maximum ?? 1_000, noNaN: true });
    case "boolean":
      return fc.boolean();
    case "string": {
      const any = fc.string({ minLength, maxLength: Math.min(maxLength, 40) });
      const texts = schema.pattern === undefined ? any : fc.stringMatching(new RegExp(schema.pattern));
      return texts.filter((text) => fits(text, schema));
    }
    default:
      return fc.oneof(
        fc.string(),
        fc.json().map((text) => JSON.parse(text) as unknown),
      );
  }
}

function fits(text: string, { minLength = 0, maxLength = 1_000 }: Schema): boolean {
  // No URL can have such a part.
  if (text === "." || text === "..") return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names have none
  return text.length >= minLength && text.length <= maxLength && !/[\u0000-\u001f\u007f-\u009f]/.test(text);
}

function objectOf({ properties = {}, required = [], anyOf }: Schema): fc.Arbitrary<unknown> {
  const values = Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, anyOfSchema(each)]));
  const choices = anyOf?.map((one) => one.required) ?? [[]];
  return fc.oneof(...choices.map((more) => fc.record(values, { requiredKeys: [...required, ...more] })));
}

function requestOf({ parameters, requestBody }: Operation) {
  const of = (place: "path" | "query") =>
    objectOf({
      properties: Object.fromEntries(
        parameters
          .filter(({ in: where, name }) => where === place && name !== "app" && !OF_ANOTHER_ANSWER.has(name))
          .map(({ name, schema }) => [name, schema]),
      ),
      required: parameters.flatMap(({ in: where, required, name }) =>
        where === place && required && name !== "app" ? name : [],
      ),
    }) as fc.Arbitrary<Record<string, string>>;
  const schema = requestBody?.content["application/json"].schema;
  return fc.record({
    names: of("path"),
    query: of("query"),
    body: schema ? anyOfSchema(schema) : fc.constant(undefined),
  });
}

const server = await startServer(
  { nodeUrl: "ws://localhost:9501" },
  { anonymous: true, limits: { eventDataBytes: 10_000 } },
);

for (const [path, operations] of Object.entries(description.paths)) {
  if (!path.startsWith("/apps/")) continue;
  for (const [method, operation] of Object.entries(operations)) {
    test(`${method} ${path}: what it allows is not refused as wrong, and is answered as it says`, async () => {
      const route = API_ROUTES.find(
        (each) => `/apps/{app}${each.path}` === path && each.method === method.toUpperCase(),
      );
      if (!route) throw new Error("It is documented, and there is none.");
      await fc.assert(
        fc.asyncProperty(requestOf(operation), async ({ names, query, body }) => {
          const name = (_: string, key: string) => encodeURIComponent(key === "app" ? APP.id : (names[key] ?? ""));
          const to = path.replaceAll(/\{(\w+)\}/g, name);
          const response = await signedFetch(server.url, APP, route.method, to, {
            query,
            ...(body !== undefined && { body: body as object }),
          });
          const answer = (await response.json()) as object;
          expect({ isDone: response.status < 300, answer }).toEqual({ isDone: true, answer });
          const shape = response.status < 300 ? route.answer : ApiError;
          expect(z.safeParse(shape, answer).error).toBeUndefined();
        }),
        { ...settings, numRuns: scaled(200, 15) },
      );
    });
  }
}

test("no call is for who does not sign it, be it with a client's token", async () => {
  const headers = { Authorization: `Bearer ${await makeToken({ sub: "ada", channels: ["*"], watch: ["*"] })}` };
  for (const { method, path } of API_ROUTES) {
    const to = `/apps/${APP.id}${path.replaceAll(/\{\w+\}/g, "presence-x")}`;
    const body = method === "POST" ? "{}" : null;
    const { status } = await fetch(server.url + to, { method, headers, body });
    expect([method, path, status]).toEqual([method, path, 401]);
  }
});

test("the document on disk is the one that the routes make", async () => {
  expect(await Bun.file(OPENAPI_DOCUMENT).text()).toBe(renderOpenApi());
});

test("is served in development, and in production where that is switched on", async () => {
  const served = await fetch(`${server.url}/openapi.json`);
  expect(await served.json()).toEqual(description);
  const production = await startServer({ mode: "production" });
  expect((await fetch(`${production.url}/openapi.json`)).status).toBe(404);
  const open = await startServer({ mode: "production", openapi: true });
  expect((await fetch(`${open.url}/openapi.json`)).status).toBe(200);
});

test("every route that is served is in the document", () => {
  const documented = Object.entries(description.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const served = [
    ...API_ROUTES.map(({ method, path }) => `${method} /apps/{app}${path}`),
    ...SERVER_ROUTES.map(({ method, path }) => `${method.toUpperCase()} ${path}`),
  ];
  expect(documented.toSorted()).toEqual(served.toSorted());
});

test("what clients, load balancers and operators ask for is there, and answers as the document says", async () => {
  const asked = new Set<string>();
  const ask = async (method: "GET" | "POST", to: string, body?: string) => {
    const [path = ""] = to.split("?");
    const route = SERVER_ROUTES.find((each) => each.path === path && each.method === method.toLowerCase());
    if (!route) throw new Error(`${method} ${path} is not documented.`);
    const response = await fetch(server.url + to, { method, ...(body !== undefined && { body }) });
    const type = (response.headers.get("content-type") ?? "").split(";")[0] ?? "";
    expect([to, Object.keys(route.answers)]).toEqual([to, expect.arrayContaining([String(response.status)])]);
    const answer = route.answers[String(response.status)];
    asked.add(`${method} ${path} ${response.status}`);
    if (Array.isArray(answer)) {
      expect(answer).toContain(type);
      const reader = response.body?.getReader();
      let text = "";
      while (reader && text.trim() === "") text += new TextDecoder().decode((await reader.read()).value);
      await reader?.cancel();
      return text;
    }
    const text = await response.text();
    if (answer === undefined) expect([to, text]).toEqual([to, ""]);
    else expect(z.safeParse(answer as z.ZodMiniType, JSON.parse(text)).error).toBeUndefined();
    return text;
  };
  for (const path of ["/health", "/ready", "/nodes", "/metrics", "/openapi.json"]) await ask("GET", path);
  for (const bad of ["/nodes?app=nobody", "/nodes?strategy=luck"]) await ask("GET", bad);
  const streamed = await ask("POST", `/rt/stream?app=${APP.key}`);
  const { session } = JSON.parse(streamed.trim().split("\n")[0] ?? "").data;
  await ask("POST", `/rt/send?session=${session}&seq=1`, '{"event":"ping","id":1}');
  await ask("POST", `/rt/send?session=${session}&seq=0`, "");
  await ask("POST", `/rt/stream?session=${session}&ack=1`);
  await ask("POST", `/rt/close?session=${session}`);
  for (const gone of ["stream?session=1.x", "poll?session=1.x", "send?session=1.x&seq=1", "close?session=1.x"]) {
    await ask("POST", `/rt/${gone}`, "");
  }
  await ask("POST", "/rt/poll", "");
  await ask("POST", "/rt/poll?app=nobody", "");
  await ask("GET", "/rt/stream");
  await ask("GET", "/rt/events?channels=news&rewind=5");
  for (const bad of ["", "?channels=a&rewind=x", "?channels=private-a", "?channels=a&app=nobody"]) {
    await ask("GET", `/rt/events${bad}`);
  }
  const unasked = SERVER_ROUTES.filter(({ method, path, answers }) => {
    const [done = ""] = Object.keys(answers);
    return !asked.has(`${method.toUpperCase()} ${path} ${done}`);
  });
  expect(unasked.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
});
