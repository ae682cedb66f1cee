/** The container, service and cluster files: what can be run of them is run, the rest is held against the server (A49, A51). */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createServer } from "../../packages/server/src/index.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { type CliProcess, runCli, spawnCli } from "../support/process.ts";
import { APP } from "../support/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { DEPLOY } from "./proxy.ts";

setDefaultTimeout(30_000);

const ROOT = dirname(DEPLOY);
const INSTALLED = "/opt/fanfare";
const APP_ENV = { PUSHER_APP_ID: APP.id, PUSHER_APP_KEY: APP.key, PUSHER_APP_SECRET: APP.secret };
const defaults = createServer().config;

function read(name: string): string {
  return readFileSync(join(DEPLOY, name), "utf8");
}

/** Resolves when it says where it listens. */
async function isServing(child: CliProcess): Promise<string> {
  const [, port] = await child.prints(/Port\s+(\d+)/);
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => expect((await fetch(`${url}/health`)).status).toBe(200), { withinMs: 10_000 });
  return url;
}

const DASHBOARD = { FANFARE_DASHBOARD_PASSWORD: "a password of the dashboard" };

test("deploy/compose.yaml builds that image, demands the keys, and waits longer than the drain (A51)", () => {
  const { services } = Bun.YAML.parse(read("compose.yaml")) as Compose;
  const { build, environment, stop_grace_period, ports, ulimits, volumes } = services.fanfare;
  expect(volumes).toEqual(["state:/var/lib/fanfare"]);
  expect(environment.FANFARE_DASHBOARD_PASSWORD).toStartWith("${FANFARE_DASHBOARD_PASSWORD:?");
  expect(existsSync(join(DEPLOY, build.context, build.dockerfile))).toBe(true);
  for (const name of Object.keys(APP_ENV)) expect(environment[name]).toStartWith(`\${${name}:?`);
  expect(ports).toEqual([`${defaults.port}:${defaults.port}`]);
  expect(Number.parseFloat(stop_grace_period)).toBeGreaterThan(Number(environment.FANFARE_DRAIN_TIMEOUT_S));
  expect(ulimits.nofile).toBeGreaterThan(defaults.limits.connections);
});

test("the environment in compose.yaml and kubernetes.yaml is one that the server starts with", async () => {
  const { services } = Bun.YAML.parse(read("compose.yaml")) as Compose;
  const { containers } = podOf(cluster());
  const pairs = containers[0]?.env.map(({ name, value }) => [name, value] as const) ?? [];
  for (const environment of [services.fanfare.environment, Object.fromEntries(pairs)]) {
    const { code, output } = await check({ ...environment, ...APP_ENV, ...DASHBOARD });
    expect([code, output]).toEqual([0, expect.stringContaining("valid")]);
  }
});

test("deploy/kubernetes.yaml: probes, ports and labels meet, and the pod has time to drain", () => {
  const documents = cluster();
  expect(documents.map(({ kind }) => kind)).toEqual([
    "Secret",
    "Deployment",
    "PodDisruptionBudget",
    "Service",
    "Ingress",
  ]);
  const [secret, deployment, budget, service, ingress] = documents;
  const pod = podOf(documents);
  const [container] = pod.containers;
  expect(Object.keys(secret?.stringData ?? {})).toEqual([
    ...Object.keys(APP_ENV),
    "FANFARE_DASHBOARD_PASSWORD",
    "FANFARE_REDIS_URL",
  ]);
  expect(pod.volumes).toEqual([{ name: "state", emptyDir: {} }]);
  expect(container?.volumeMounts).toEqual([{ name: "state", mountPath: "/var/lib/fanfare" }]);
  expect(container?.envFrom).toEqual([{ secretRef: { name: secret?.metadata.name } }]);
  expect(container?.readinessProbe?.httpGet).toEqual({ path: "/ready", port: "http" });
  expect(container?.livenessProbe?.httpGet).toEqual({ path: "/health", port: "http" });
  expect(container?.ports).toEqual([{ name: "http", containerPort: defaults.port }]);
  const { selector, template, replicas } = deployment?.spec ?? {};
  expect(selector?.matchLabels).toEqual(template?.metadata.labels);
  expect(service?.spec?.selector).toEqual(template?.metadata.labels);
  expect(service?.spec?.ports).toEqual([{ name: "http", port: defaults.port, targetPort: "http" }]);
  expect(JSON.stringify(ingress?.spec)).toContain(`{"name":"${service?.metadata.name}","port":{"name":"http"}}`);
  expect(budget?.spec?.selector).toEqual(deployment?.spec?.selector);
  // More than one need something in common, and each of them leaves before the next.
  expect(replicas).toBeGreaterThan(1);
  expect(container?.env.find(({ name }) => name === "FANFARE_ENGINE")).toMatchObject({ value: "redis" });
  expect(JSON.stringify(deployment?.spec)).toContain('"rollingUpdate":{"maxSurge":1,"maxUnavailable":0}');
  expect(JSON.stringify(pod)).toContain(`"labelSelector":${JSON.stringify(deployment?.spec?.selector)}`);
  const seconds = (wanted: string) => Number(container?.env.find(({ name }) => name === wanted)?.value);
  const drainS = seconds("FANFARE_DRAIN_DELAY_S") + seconds("FANFARE_DRAIN_TIMEOUT_S");
  expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(drainS);
});

test("deploy/fanfare.service is a unit that systemd takes", async () => {
  const text = read("fanfare.service");
  const unit = join(temporaryFolder(), "fanfare.service");
  writeFileSync(unit, text.replaceAll(INSTALLED, ROOT));
  const verified = await runCli(["verify", "--man=no", "--recursive-errors=no", unit], {
    program: [external("systemd-analyze")],
  });
  expect([verified.code, verified.stderr]).toEqual([0, ""]);
  const numberOf = (key: string) => Number(new RegExp(`^${key}=(\\d+)$`, "m").exec(text)?.[1]);
  expect(numberOf("TimeoutStopSec")).toBeGreaterThan(defaults.drainTimeoutS);
  expect(numberOf("LimitNOFILE")).toBeGreaterThan(defaults.limits.connections);
});

describe.each([
  ["fanfare.service", "ExecStart"],
  ["supervisor.conf", "command"],
] as const)("deploy/%s", (file, key) => {
  test("starts a server that stops at SIGTERM", async () => {
    const [, line = ""] = new RegExp(`^${key}=(.+)$`, "m").exec(read(file)) ?? [];
    const [program = "", ...args] = line.replaceAll(INSTALLED, ROOT).split(" ");
    const env = { ...APP_ENV, FANFARE_MODE: "production", FANFARE_HOST: "127.0.0.1", FANFARE_PORT: "0" };
    const child = spawnCli(args, { program: [program], env });
    await isServing(child);
    expect(await child.stop("SIGTERM")).toEqual({ code: 0, signal: null });
  });
});

test("deploy/fanfare.service: ExecReload tells the server that ExecStart started to reload", async () => {
  const text = read("fanfare.service");
  const commandOf = (key: string) => {
    const [, line = ""] = new RegExp(`^${key}=(.+)$`, "m").exec(text) ?? [];
    const [program = "", ...args] = line.replaceAll(INSTALLED, ROOT).split(" ");
    return { program: [program] as const, args };
  };
  const [, folder = ""] = /FANFARE_STATE_DIR=\/var\/lib\/(\S+)/.exec(text) ?? [];
  expect(text).toContain(`\nStateDirectory=${folder}\n`);
  const cwd = temporaryFolder();
  const env = {
    ...APP_ENV,
    FANFARE_MODE: "production",
    FANFARE_HOST: "127.0.0.1",
    FANFARE_PORT: "0",
    FANFARE_STATE_DIR: cwd,
  };
  const [serve, reload] = [commandOf("ExecStart"), commandOf("ExecReload")];
  const child = spawnCli(serve.args, { program: serve.program, env });
  await isServing(child);
  const told = await runCli(reload.args, { program: reload.program, env });
  expect([told.code, told.stdout]).toEqual([0, "reloaded\n  nothing was changed\n"]);
  expect(await child.stop("SIGTERM")).toEqual({ code: 0, signal: null });
});

test("deploy/supervisor.conf waits longer than the drain, and says where the file limit is set (A49)", () => {
  const text = read("supervisor.conf");
  const settings = text.split("\n").filter((line) => !line.startsWith(";") && line !== "");
  expect(settings[0]).toBe("[program:fanfare]");
  expect(settings.slice(1).filter((line) => !/^[a-z_]+=\S/.test(line))).toEqual([]);
  expect(Number(/^stopwaitsecs=(\d+)$/m.exec(text)?.[1])).toBeGreaterThan(defaults.drainTimeoutS);
  expect(Number(/minfds=(\d+)/.exec(text)?.[1])).toBeGreaterThan(defaults.limits.connections);
});

async function check(environment: Readonly<Record<string, string>>) {
  const child = spawnCli(["config", "check"], { env: environment });
  const { code } = await child.ended();
  return { code, output: child.output };
}

function cluster(): Resource[] {
  return Bun.YAML.parse(read("kubernetes.yaml")) as Resource[];
}

function podOf(documents: readonly Resource[]): Pod {
  const pod = documents.find(({ kind }) => kind === "Deployment")?.spec?.template?.spec;
  if (!pod) throw new Error("There is no Deployment with a pod.");
  return pod;
}

interface Compose {
  readonly services: {
    readonly fanfare: {
      readonly build: { readonly context: string; readonly dockerfile: string };
      readonly environment: Readonly<Record<string, string>>;
      readonly stop_grace_period: string;
      readonly ports: readonly string[];
      readonly ulimits: { readonly nofile: number };
      readonly volumes: readonly string[];
    };
  };
}

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly stringData?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly replicas?: number;
    readonly selector?: { readonly matchLabels?: object };
    readonly template?: { readonly metadata: { readonly labels: object }; readonly spec: Pod };
    readonly ports?: readonly object[];
  };
}

interface Pod {
  readonly terminationGracePeriodSeconds: number;
  readonly volumes: readonly object[];
  readonly containers: readonly {
    readonly env: readonly { readonly name: string; readonly value: string }[];
    readonly envFrom: readonly object[];
    readonly volumeMounts: readonly object[];
    readonly ports: readonly object[];
    readonly readinessProbe?: { readonly httpGet: object };
    readonly livenessProbe?: { readonly httpGet: object };
  }[];
}
