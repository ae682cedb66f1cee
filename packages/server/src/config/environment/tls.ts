/** What the environment says of TLS beside its settings: whether there is any, and that a certificate brings its key. */

import { type ConfigBuilder, sourceOf } from "../config-builder.ts";
import { describeValue } from "../config-error.ts";
import { parseBoolean } from "../parse-value.ts";
import { settings } from "../settings.ts";
import { type Environment, readVariable } from "./environment.ts";
import { CERTIFICATE_WITH_KEY, foreignVariables, TLS_SWITCH } from "./foreign-variables.ts";

/** Off takes away what the file says, and the certificate that belongs to the switch; another one contradicts it. */
export function switchTls(draft: ConfigBuilder, env: Environment): void {
  const text = readVariable(TLS_SWITCH, env);
  if (text === undefined) return;
  const isOn = parseBoolean(text);
  const complain = (sentence: string) => draft.problems.push({ message: sentence });
  if (isOn === undefined) complain(`${TLS_SWITCH} has to be true or false, but is ${describeValue(text)}`);
  if (isOn !== false) return;
  for (const name of certificateNames()) {
    const file = name.startsWith(TLS_SWITCH) ? undefined : readVariable(name, env);
    if (file === undefined) continue;
    const both = `${TLS_SWITCH} is ${describeValue(text)} and ${name} is ${describeValue(file, name === OBJECT)}`;
    complain(`${both}: one leaves TLS out, the other asks for it, so unset one of them`);
  }
  delete draft.values.tls;
  for (const path of [...draft.sources.keys()].filter((one) => one.startsWith("tls."))) draft.sources.delete(path);
}

/** To be called when every source is laid. */
export function completeTls(draft: ConfigBuilder, env: Environment): void {
  leaveOutRest(draft);
  const { tls } = draft.values;
  if (tls === undefined) {
    if (parseBoolean(readVariable(TLS_SWITCH, env) ?? "") !== true) return;
    const where = "set WEBSOCKET_SSL_CERT and WEBSOCKET_SSL_KEY, or `tls.certFile` and `tls.keyFile`";
    draft.problems.push({ message: `${TLS_SWITCH} is true, but there is no certificate: ${where}` });
    return;
  }
  const bringsKey = sourceOf(draft, ["tls", "certFile"]) === CERTIFICATE_WITH_KEY;
  if (!bringsKey || !hasOnlyCertificate(tls)) return;
  draft.values.tls = { ...tls, keyFile: tls.certFile };
  draft.sources.set("tls.keyFile", CERTIFICATE_WITH_KEY);
}

/** Other servers have no TLS where they have no certificate, whatever their passphrase is. */
function leaveOutRest(draft: ConfigBuilder): void {
  const said = [...draft.sources].filter(([path]) => path.startsWith("tls."));
  if (
    said.length === 0 ||
    said.some(([path, from]) => !USELESS_ALONE.includes(path) || !foreignVariables.some(({ name }) => name === from))
  )
    return;
  delete draft.values.tls;
  for (const [path] of said) draft.sources.delete(path);
}

const USELESS_ALONE: readonly string[] = ["tls.passphrase", "tls.caFile"];

/** May hold a passphrase. */
const OBJECT = "FANFARE_TLS";

function certificateNames(): string[] {
  const own = settings.filter(({ path }) => path === "tls" || path === "tls.certFile").map(({ env }) => env);
  return [...own, ...foreignVariables.filter(({ path }) => path === "tls.certFile").map(({ name }) => name)];
}

function hasOnlyCertificate(tls: unknown): tls is { readonly certFile: unknown } {
  return typeof tls === "object" && tls !== null && "certFile" in tls && !("keyFile" in tls);
}
