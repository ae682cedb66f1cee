/** `fanfare doctor`: looks at everything a server needs, and says what to change. */

import type { Command } from "commander";
import { ConfigError, type Loaded, loadConfig } from "../../config/load.ts";
import { addConfigFlags, readConfigFlags } from "../config-flags.ts";
import { checkApps } from "../doctor/apps.ts";
import { checkCertificate } from "../doctor/certificate.ts";
import { checkEngine } from "../doctor/engine.ts";
import { type Finding, findings, findingsText } from "../doctor/finding.ts";
import { checkClock, checkFiles, checkRuntime, checkStateDir } from "../doctor/machine.ts";
import { checkPort } from "../doctor/port.ts";
import { checkProxy } from "../doctor/proxy.ts";
import { printable } from "../output.ts";
import { serverUrl } from "../target.ts";

interface DoctorOptions {
  readonly json?: true;
  readonly url?: string;
}

const EXAMPLES = `
Examples:
  $ fanfare doctor
  $ fanfare doctor --url https://ws.example.com

The exit code is 1 when there is a problem.`;

export function addDoctor(program: Command): void {
  const command = program.command("doctor").description("check all that a server needs, and say what to change");
  addConfigFlags(command)
    .option("--url <url>", "look at the running server through this address too, a proxy in between included")
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async () => {
      const { json, url } = command.opts<DoctorOptions>();
      const all = await examine(command, url === undefined ? undefined : serverUrl(url));
      console.log(json ? JSON.stringify(all, undefined, 2) : printableText(all));
      if (all.some(({ level }) => level === "problem")) process.exitCode = 1;
    });
}

function printableText(all: readonly Finding[]): string {
  return findingsText(all).split("\n").map(printable).join("\n");
}

async function examine(command: Command, url: string | undefined): Promise<Finding[]> {
  const cwd = process.cwd();
  const loaded = await loadConfig({ ...readConfigFlags(command), env: process.env, cwd }).catch((error: unknown) => {
    if (error instanceof ConfigError) return error;
    throw error;
  });
  if (loaded instanceof ConfigError) return [...configFindings(loaded), checkRuntime(), ...(await checkClock(null, 0))];
  const { config, sources } = loaded;
  const port = await checkPort(config);
  const proxy = url === undefined ? undefined : await checkProxy(url, config.apps[0]?.key ?? "doctor");
  return [
    ...configFindings(loaded),
    checkRuntime(),
    port.finding,
    checkFiles(config, sources.has("limits.connections")),
    ...(await checkCertificate(config.tls, cwd, Date.now())),
    ...(await checkApps(config)),
    await checkStateDir(config, cwd),
    ...(await checkEngine(config)),
    ...(await checkClock(proxy?.date ?? port.date, config.signatureWindowS)),
    ...(proxy?.findings ?? []),
  ];
}

function configFindings(loaded: Loaded | ConfigError): Finding[] {
  const { ok, warning, problem } = findings("config");
  if (!(loaded instanceof ConfigError))
    return [
      ok(`${loaded.file ?? "no file, only defaults, environment and flags"}: valid`),
      ...foreignFindings(loaded),
      ...loaded.warnings.map((says) => warning(says, CHANGE)),
    ];
  return loaded.message.split("\n").map((line) => problem(line, CHANGE));
}

const CHANGE = "put it right; docs/configuration.md explains each setting";

/** What other servers' names do here is told, for whoever took over their environment. */
function foreignFindings({ foreignVariables: foreign }: Loaded): Finding[] {
  const says = foreign.map(([name, path]) => `${name} (${path})`).join(", ");
  return says === "" ? [] : [findings("config").ok(`obeyed are ${says}`)];
}
