/** What the environment says of TLS beside its settings: whether there is any, and that a certificate brings its key. */

import { aliases, CERTIFICATE_WITH_KEY, TLS_SWITCH } from "./aliases.ts";
import { type Draft, sourceOf } from "./draft.ts";
import { type Environment, textOf } from "./env.ts";
import { describe } from "./problem.ts";
import { settings } from "./tree.ts";
import { switchIn } from "./written.ts";

/** Off takes away what the file says, and the certificate that belongs to the switch; another one contradicts it. */
export function switchTls(draft: Draft, env: Environment): void {
  const text = textOf(TLS_SWITCH, env);
  if (text === undefined) return;
  const isOn = switchIn(text);
  const complain = (sentence: string) => draft.problems.push({ sentence });
  if (isOn === undefined) complain(`${TLS_SWITCH} has to be true or false, but is ${describe(text)}`);
  if (isOn !== false) return;
  for (const name of certificateNames()) {
    const file = name.startsWith(TLS_SWITCH) ? undefined : textOf(name, env);
    if (file === undefined) continue;
    const both = `${TLS_SWITCH} is ${describe(text)} and ${name} is ${describe(file, name === OBJECT)}`;
    complain(`${both}: one leaves TLS out, the other asks for it, so unset one of them`);
  }
  delete draft.values.tls;
  for (const path of [...draft.sources.keys()].filter((one) => one.startsWith("tls."))) draft.sources.delete(path);
}

/** To be called when every source is laid. */
export function completeTls(draft: Draft, env: Environment): void {
  leaveOutRest(draft);
  const { tls } = draft.values;
  if (tls === undefined) {
    if (switchIn(textOf(TLS_SWITCH, env) ?? "") !== true) return;
    const where = "set WEBSOCKET_SSL_CERT and WEBSOCKET_SSL_KEY, or `tls.certFile` and `tls.keyFile`";
    draft.problems.push({ sentence: `${TLS_SWITCH} is true, but there is no certificate: ${where}` });
    return;
  }
  const bringsKey = sourceOf(draft, ["tls", "certFile"]) === CERTIFICATE_WITH_KEY;
  if (!bringsKey || !hasOnlyCertificate(tls)) return;
  draft.values.tls = { ...tls, keyFile: tls.certFile };
  draft.sources.set("tls.keyFile", CERTIFICATE_WITH_KEY);
}

/** Other servers have no TLS where they have no certificate, whatever their passphrase is. */
function leaveOutRest(draft: Draft): void {
  const said = [...draft.sources].filter(([path]) => path.startsWith("tls."));
  if (
    said.length === 0 ||
    said.some(([path, from]) => !USELESS_ALONE.includes(path) || !aliases.some(({ name }) => name === from))
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
  return [...own, ...aliases.filter(({ path }) => path === "tls.certFile").map(({ name }) => name)];
}

function hasOnlyCertificate(tls: unknown): tls is { readonly certFile: unknown } {
  return typeof tls === "object" && tls !== null && "certFile" in tls && !("keyFile" in tls);
}
