/** The compose files: compose itself reads them, what they mount is there, and what they start fits together. No container is started. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { freePort } from "../support/ports.ts";
import { spawnCli, startProcess } from "../support/process.ts";
import { connectPusher, trigger } from "../support/pusher-client.ts";
import { startRedis } from "../support/redis.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { APP, compose, ENV, type Service } from "./compose.ts";
import { DEPLOY } from "./proxy.ts";

setDefaultTimeout(60_000);

/** Files of this folder by where a container has them. */
function mountsOf({ volumes = [] }: Service): Map<string, string> {
  const pairs = volumes.map((volume) =>
    typeof volume === "string" ? volume.split(":") : [volume.source, volume.target],
  );
  return new Map(pairs.filter(([from = ""]) => from.startsWith("/")).map(([from = "", to = ""]) => [to, from]));
}

/** Outside and inside. */
function portsOf({ ports = [] }: Service): (readonly [number, number])[] {
  return ports.map((port) => {
    if (typeof port !== "string") return [Number(port.published), port.target] as const;
    const [, outside, inside] = /(\d+):(\d+)(?:\/tcp)?$/.exec(port) ?? [];
    return [Number(outside), Number(inside)] as const;
  });
}

const MONITORING = ["compose.yaml", "compose.monitoring.yaml"];

test.each([["compose.yaml"], MONITORING, ["compose.soketi.yaml"], ["compose.reverb.yaml"]])(
  "compose takes %s %s, and every file that they mount is there",
  (...files) => {
    const { exitCode, stderr, services } = compose(files.filter((file) => typeof file === "string"));
    expect([exitCode, stderr]).toEqual([0, ""]);
    for (const service of Object.values(services))
      for (const from of mountsOf(service).values()) expect([from, existsSync(from)]).toEqual([from, true]);
  },
);

test.each(["PUSHER_APP_SECRET", "FANFARE_DASHBOARD_PASSWORD", "GRAFANA_PASSWORD"])(
  "nothing starts without %s",
  (name) => {
    const { exitCode, stderr } = compose(MONITORING, { ...ENV, [name]: "" });
    expect([exitCode !== 0, stderr]).toEqual([true, expect.stringContaining(`set ${name}`)]);
  },
);

describe("compose.monitoring.yaml", () => {
  const { services } = compose(MONITORING);
  const read = (path: string | undefined) => readFileSync(path ?? "", "utf8");
  const mounts = (name: string) => mountsOf(services[name] ?? { image: "" });

  test("the server has Redis, and Prometheus reads it as the file says: each expression of the dashboard has an answer", async () => {
    const redis = await startRedis();
    const { FANFARE_REDIS_URL = "", ...environment } = services.fanfare?.environment ?? {};
    expect(new URL(FANFARE_REDIS_URL).hostname).toBe("redis");
    const env = { ...environment, FANFARE_REDIS_URL: `redis://127.0.0.1:${redis.port}` };
    const server = await startProcess({ config: null, env });
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
    await trigger(server.url, APP, { name: "n", channel: "c", data: "x" });
    const { url, query } = await startPrometheus(`127.0.0.1:${server.port}`);
    await eventually(
      async () =>
        expect(await query('up{job="fanfare"}')).toEqual([
          expect.objectContaining({ value: [expect.anything(), "1"] }),
        ]),
      { withinMs: 30_000 },
    );
    expect(await (await fetch(`${url}/api/v1/rules`)).text()).toContain("FanfareDown");
    const board = JSON.parse(read(mounts("grafana").get("/var/lib/grafana/dashboards/fanfare.json")));
    const asked: string[] = board.panels.flatMap(({ targets = [] }) =>
      targets.map(({ expr }: { expr: string }) => expr),
    );
    expect(asked.length).toBeGreaterThan(20);
    for (const expr of asked)
      await query(
        expr.replaceAll("$__rate_interval", "1m").replaceAll("$job", "fanfare").replaceAll("$instance", ".*"),
      );
    expect(await query("sum(fanfare_connections)")).toHaveLength(1);
  });

  test("Grafana finds Prometheus where it is, and the dashboard where it looks for dashboards", () => {
    const files = mounts("grafana");
    const inside = (folder: string) =>
      [...files].filter(([to]) => dirname(to) === folder).map(([, from]) => read(from));
    const [sources = ""] = inside("/etc/grafana/provisioning/datasources");
    const [providers = ""] = inside("/etc/grafana/provisioning/dashboards");
    const { datasources } = Bun.YAML.parse(sources) as {
      datasources: { url: string; type: string; isDefault: boolean }[];
    };
    expect(datasources).toEqual([expect.objectContaining({ type: "prometheus", isDefault: true })]);
    const { hostname, port } = new URL(datasources[0]?.url ?? "");
    expect(portsOf(services[hostname] ?? { image: "" })).toEqual([[Number(port), Number(port)]]);
    const { providers: [provider] = [] } = Bun.YAML.parse(providers) as { providers?: { options: { path: string } }[] };
    expect(inside(provider?.options.path ?? "").map((text) => JSON.parse(text).uid)).toEqual(["fanfare"]);
  });

  /** With the files where its container has them, and a server in the place of the one that they name. */
  async function startPrometheus(target: string) {
    const cwd = temporaryFolder();
    for (const [to, from] of mounts("prometheus")) copyFileSync(from, join(cwd, basename(to)));
    const file = join(cwd, "prometheus.yml");
    const text = read(file);
    expect(text).toContain('"fanfare:9501"');
    writeFileSync(file, text.replace("fanfare:9501", target).replace("scrape_interval: 15s", "scrape_interval: 1s"));
    const address = `127.0.0.1:${await freePort()}`;
    const args = [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(cwd, "data")}`,
      `--web.listen-address=${address}`,
    ];
    spawnCli(args, { program: [external("prometheus")], cwd });
    const query = async (expr: string): Promise<readonly unknown[]> => {
      const answer = await fetch(`http://${address}/api/v1/query?query=${encodeURIComponent(expr)}`);
      const { status, data, error } = (await answer.json()) as {
        status: string;
        data: { result: unknown[] };
        error?: string;
      };
      expect([expr, status, error]).toEqual([expr, "success", undefined]);
      return data.result;
    };
    return { url: `http://${address}`, query };
  }
});

/** Where those who know the other server ask whether it lives, and whether to send clients to it. */
const REPLACED = [
  ["compose.soketi.yaml", "soketi", ["/", "/ready", "/accept-traffic"], /SOKETI_METRICS_SERVER_PORT/],
  ["compose.reverb.yaml", "reverb", ["/up"], undefined],
] as const;

test.each(REPLACED)(
  "%s: with another image's name alone, the port, the app and the probes are those of %s",
  async (file, name, probes, missed) => {
    const service = compose([file]).services[name] ?? { image: "" };
    const { image, environment = {} } = service;
    const [, inside = ""] = /^fanfare:(\d+)$/.exec(image) ?? [];
    expect(portsOf(service)).toContainEqual([Number(inside), Number(inside)]);
    expect(readFileSync(join(DEPLOY, file), "utf8")).toContain(`--build-arg PORT=${inside} -t ${image} `);
    const port = await freePort();
    const moved = (text: string) => text.replace(inside, String(port));
    const cwd = temporaryFolder();
    const env = Object.fromEntries(
      Object.entries({ ...imageEnvironment(inside), FANFARE_STATE_DIR: cwd, ...environment }).map(([key, value]) => [
        key,
        moved(value),
      ]),
    );
    const child = spawnCli(["serve"], { cwd, env });
    const url = `http://127.0.0.1:${port}`;
    await eventually(async () => expect((await fetch(`${url}/health`)).status).toBe(200), { withinMs: 30_000 });
    for (const path of probes) expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 200]);
    const client = await connectPusher(url, { app: APP });
    await client.subscribe("orders");
    await trigger(url, APP, { name: "paid", channel: "orders", data: "7" });
    expect(await client.next("paid")).toMatchObject({ data: "7" });
    const warnings = child.output.split("\n").filter((line) => /"level":[456]0/.test(line));
    expect(warnings).toEqual(missed ? [expect.stringMatching(missed)] : []);
  },
);

/** What the image of deploy/Dockerfile sets, built with that port. */
function imageEnvironment(port: string): Readonly<Record<string, string>> {
  const [, text = ""] = /^ENV (.+)$/m.exec(readFileSync(join(DEPLOY, "Dockerfile"), "utf8")) ?? [];
  const pairs = text
    .replace("$PORT", port)
    .split(" ")
    .map((pair) => pair.split("="));
  return Object.fromEntries(pairs.map(([name = "", value = ""]) => [name, value]));
}
