/** `fanfare doctor`: looks at everything a server needs, and says what to change. */

import { type Config, ConfigError, type Loaded } from "../../config/load.ts";
import { appsOf } from "../apps.ts";
import { secondsIn } from "../arguments.ts";
import { loadHere, readConfigFlags } from "../config-flags.ts";
import { checkApps } from "../doctor/apps.ts";
import { checkCertificate } from "../doctor/certificate.ts";
import { type Finding, findings, findingsText } from "../doctor/finding.ts";
import { checkClock, checkFiles, checkRuntime, checkStateDir } from "../doctor/machine.ts";
import { checkPort } from "../doctor/port.ts";
import { checkProxy } from "../doctor/proxy.ts";
import { checkEngine, checkHooks, checkOutboxes } from "../doctor/services.ts";
import { serverUrl } from "../http.ts";
import type { Report } from "../output.ts";

const { ok, warning, problem } = findings("config");
const CHANGE = "put it right; docs/configuration.md explains each setting";

interface DoctorOptions {
  readonly url?: string;
  readonly config?: string;
  readonly watch: string;
}

export async function doctor(options: DoctorOptions): Promise<Report> {
  const url = options.url === undefined ? undefined : serverUrl(options.url);
  const watchMs = secondsIn("--watch", options.watch) * 1000;
  const found = await loadHere(readConfigFlags(options)).then(
    (loaded) => examine(loaded, url, watchMs),
    async (error: unknown) => {
      if (!(error instanceof ConfigError)) throw error;
      const problems = error.message.split("\n").map((line) => problem(line, CHANGE));
      return [...problems, checkRuntime(), ...(await checkClock(null, 0))];
    },
  );
  const isProblem = found.some(({ level }) => level === "problem");
  return { json: found, text: findingsText(found), exitCode: isProblem ? 1 : 0 };
}

async function examine(loaded: Loaded, url: string | undefined, watchMs: number): Promise<Finding[]> {
  const { config, sources } = loaded;
  const cwd = process.cwd();
  const port = await checkPort(config);
  const proxy =
    url === undefined ? undefined : await checkProxy(url, await keyIn(config), { http: config.http, watchMs });
  return [
    ...configFindings(loaded),
    checkRuntime(),
    port.finding,
    checkFiles(config, sources.has("limits.connections")),
    ...(await checkCertificate(config.tls, cwd, Date.now())),
    ...(await checkApps(config)),
    ...(await checkHooks(config)),
    await checkStateDir(config, cwd),
    ...(await checkEngine(config)),
    ...(await checkOutboxes(config)),
    ...(await checkClock(proxy?.date ?? port.date, config.signatureWindowS)),
    ...(proxy?.findings ?? []),
  ];
}

/** Of the app that the server has here; of none where it has none, or where its file cannot be read, which is another finding. */
async function keyIn(config: Config): Promise<string> {
  const [app] = await appsOf(config).catch(() => []);
  return app?.key ?? "doctor";
}

/** Variables of other servers that are taken here are listed, for users who brought their environment along. */
function configFindings({ file, foreignVariables, warnings }: Loaded): Finding[] {
  const taken = foreignVariables.map(([name, path]) => `${name} (${path})`).join(", ");
  return [
    ok(`${file ?? "no file, only defaults, environment and flags"}: valid`),
    ...(taken === "" ? [] : [ok(`obeyed are ${taken}`)]),
    ...warnings.map((says) => warning(says, CHANGE)),
  ];
}
