/** The image of deploy/Dockerfile, built and run: as a user without rights, on files that it may not write to, healthy by its own check. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { freePort } from "../support/ports.ts";
import { connectPusher, trigger } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { APP, compose } from "./compose.ts";
import { environmentOf, makeVolume, runContainer } from "./container.ts";
import { buildImages, type Image } from "./image.ts";

// The packages of a whole checkout are in the images: on some disks it takes minutes until they are deleted.
setDefaultTimeout(600_000);

const PROC = external("proc");
const PORTS = [9501, 6001, 8080] as const;
const IMAGES = new Map<number, Image>(buildImages(PORTS).map((image, at) => [PORTS[at] ?? 0, image] as const));
const IMAGE = imageFor(9501);
const STATE = "/var/lib/fanfare";
const PASSWORD = "a password of the dashboard";
const APP_ENV = { PUSHER_APP_ID: APP.id, PUSHER_APP_KEY: APP.key, PUSHER_APP_SECRET: APP.secret };
const WARN = 40;

function imageFor(port: number): Image {
  const image = IMAGES.get(port);
  if (!image) throw new Error(`No image has the port ${port}.`);
  return image;
}

/** On a port that is free here, where the container has no network of its own. Resolves when its health check is content. */
async function run(
  image: Image,
  { env = APP_ENV, state = makeVolume(image, STATE) }: { env?: Record<string, string>; state?: string } = {},
) {
  const port = await freePort();
  const container = runContainer(image, { env: { PORT: String(port), ...env }, volumes: { [STATE]: state } });
  const { process: server, exec } = container;
  const [kind, ...words] = image.config.Healthcheck.Test;
  expect(kind).toBe("CMD");
  const check = () => exec(words);
  await eventually(
    async () => {
      if (server.hasEnded) throw new Error(server.output);
      expect((await check()).code).toBe(0);
    },
    { withinMs: 60_000 },
  );
  return { ...container, check, state, port, url: `http://127.0.0.1:${port}` };
}

/** What it logged as worth a look. */
function warningsIn(output: string): string[] {
  return output.split("\n").filter((line) => line.startsWith("{") && Number(JSON.parse(line).level) >= WARN);
}

describe("the image", () => {
  test("says its port, its volume and its health check, and that it is not root", () => {
    for (const port of PORTS) {
      const { User, ExposedPorts, Volumes, Healthcheck } = imageFor(port).config;
      expect(User).toMatch(/^[1-9]\d*:[1-9]\d*$/);
      expect(environmentOf(imageFor(port)).PORT).toBe(String(port));
      expect([Object.keys(ExposedPorts), Object.keys(Volumes)]).toEqual([[`${port}/tcp`], [STATE]]);
      expect(Healthcheck.Test).toEqual(["CMD", "/usr/local/bin/fanfare", "status"]);
    }
  });

  test("holds one program, and neither a shell nor Node nor a checkout's files", () => {
    const root = IMAGE.mount();
    for (const folder of ["bin", "sbin", "usr/bin", "usr/sbin"])
      for (const name of ["sh", "node", "npm", "bun"]) expect(existsSync(join(root, folder, name))).toBe(false);
    expect(readdirSync(join(root, "usr/local/bin"))).toEqual(["fanfare"]);
    expect([existsSync(join(root, "app")), readdirSync(join(root, STATE))]).toEqual([false, []]);
  });
});

describe("a container of it", () => {
  test("serves the dashboard and an app's clients without any right, and stops when told", async () => {
    const server = await run(IMAGE, { env: { ...APP_ENV, FANFARE_DASHBOARD_PASSWORD: PASSWORD } });
    const status = readFileSync(`${PROC}/${await server.pid()}/status`, "utf8");
    const [uid] = IMAGE.config.User.split(":");
    expect(status).toMatch(new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s+${uid}\\s+${uid}$`, "m"));
    expect(status).toMatch(/^CapEff:\s+0+$/m);
    const html = await (await fetch(`${server.url}/dashboard/`)).text();
    const [, script = ""] = /<script[^>]+src="([^"]+)"/.exec(html) ?? [];
    expect((await fetch(new URL(script, `${server.url}/dashboard/`))).headers.get("content-type")).toContain(
      "javascript",
    );
    const client = await connectPusher(server.url, { app: APP });
    await client.subscribe("orders");
    await trigger(server.url, APP, { name: "paid", channel: "orders", data: "7" });
    expect(await client.next("paid")).toMatchObject({ data: "7" });
    expect(warningsIn(server.process.output)).toEqual([]);
    expect(await server.process.stop("SIGTERM")).toEqual({ code: 0, signal: null });
  });

  test("keeps in its volume what is to outlive it, for its user only", async () => {
    const first = await run(IMAGE);
    const { code, stdout } = await first.exec(["/usr/local/bin/fanfare", "apps", "add", "--id", "second"]);
    expect([code, stdout]).toEqual([0, expect.stringContaining("second")]);
    const { uid, mode } = statSync(first.state);
    expect([`${uid}`, mode & 0o777]).toEqual([IMAGE.config.User.split(":")[0] ?? "", 0o700]);
    expect(statSync(join(IMAGE.mount(), STATE, "..")).uid).toBe(0);
    expect((await first.process.stop()).code).toBe(0);
    const next = await run(IMAGE, { state: first.state });
    expect((await next.exec(["/usr/local/bin/fanfare", "apps", "list"])).stdout).toContain("second");
    expect(warningsIn(next.process.output)).toEqual([]);
  });

  test("starts workers, which are one server", async () => {
    const server = await run(IMAGE, { env: { ...APP_ENV, FANFARE_WORKERS: "2" } });
    const { stdout } = await server.exec(["/usr/local/bin/fanfare", "status", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ workers: 2 });
    const clients = await Promise.all(Array.from({ length: 8 }, () => connectPusher(server.url, { app: APP })));
    for (const client of clients) await client.subscribe("orders");
    await trigger(server.url, APP, { name: "paid", channel: "orders", data: "7" });
    for (const client of clients) expect(await client.next("paid")).toMatchObject({ data: "7" });
    expect((await server.process.stop()).code).toBe(0);
  });

  test("is one server with another on Redis", async () => {
    const redis = `redis://127.0.0.1:${(await startRedis()).port}`;
    const env = { ...APP_ENV, FANFARE_ENGINE: "redis", FANFARE_REDIS_URL: redis };
    const [one, other] = await Promise.all([run(IMAGE, { env }), run(IMAGE, { env })]);
    const client = await connectPusher(other.url, { app: APP });
    await client.subscribe("orders");
    await trigger(one.url, APP, { name: "paid", channel: "orders", data: "7" });
    expect(await client.next("paid")).toMatchObject({ data: "7" });
  });

  test("does not start without an app, and says why", async () => {
    const { process: server } = runContainer(IMAGE, { env: {}, volumes: { [STATE]: makeVolume(IMAGE, STATE) } });
    expect((await server.ended()).code).not.toBe(0);
    expect(server.output).toContain("PUSHER_APP_");
  });
});

/** What panels and probes ask of the server whose image was there. */
const REPLACED = [
  ["compose.soketi.yaml", "soketi", 6001, ["/", "/ready", "/accept-traffic"]],
  ["compose.reverb.yaml", "reverb", 8080, ["/up"]],
] as const;

test.each(REPLACED)(
  "%s: the image in place of that of %s takes its variables, is healthy, and answers its probes",
  async (file, name, inside, probes) => {
    const { image = "", environment = {} } = compose([file]).services[name] ?? {};
    expect(image).toBe(`fanfare:${inside}`);
    const port = await freePort();
    // In a network of its own it would have the port that it was built for.
    const here = Object.entries({ PORT: `${inside}`, ...environment }).map(([key, value]) => [
      key,
      value === `${inside}` ? `${port}` : value,
    ]);
    const server = await run(imageFor(inside), { env: Object.fromEntries(here) });
    const url = `http://127.0.0.1:${port}`;
    for (const path of probes) expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 200]);
    const client = await connectPusher(url, { app: APP });
    await client.subscribe("orders");
    await trigger(url, APP, { name: "paid", channel: "orders", data: "7" });
    expect(await client.next("paid")).toMatchObject({ data: "7" });
    expect((await server.process.stop()).code).toBe(0);
  },
);
