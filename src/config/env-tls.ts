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
  if (isOn === undefined) draft.problems.push(`${TLS_SWITCH} has to be true or false, but is ${describe(text)}`);
  if (isOn !== false) return;
  for (const name of certificateNames()) {
    const file = name.startsWith(TLS_SWITCH) ? undefined : textOf(name, env);
    if (file === undefined) continue;
    const both = `${TLS_SWITCH} is ${describe(text)} and ${name} is ${describe(file, name === OBJECT)}`;
    draft.problems.push(`${both}: one leaves TLS out, the other asks for it, so unset one of them`);
  }
  delete draft.values.tls;
  for (const path of [...draft.sources.keys()].filter((one) => one.startsWith("tls."))) draft.sources.delete(path);
}

/** To be called when every source is laid. */
export function completeTls(draft: Draft, env: Environment): void {
  const { tls } = draft.values;
  if (tls === undefined) {
    if (switchIn(textOf(TLS_SWITCH, env) ?? "") !== true) return;
    const where = "set WEBSOCKET_SSL_CERT and WEBSOCKET_SSL_KEY, or `tls.certFile` and `tls.keyFile`";
    draft.problems.push(`${TLS_SWITCH} is true, but there is no certificate: ${where}`);
    return;
  }
  const bringsKey = sourceOf(draft, ["tls", "certFile"]) === CERTIFICATE_WITH_KEY;
  if (!bringsKey || !hasOnlyCertificate(tls)) return;
  draft.values.tls = { ...tls, keyFile: tls.certFile };
  draft.sources.set("tls.keyFile", CERTIFICATE_WITH_KEY);
}

/** May hold a passphrase. */
const OBJECT = "FANFARE_TLS";

function certificateNames(): string[] {
  const own = settings.filter(({ path }) => path === "tls" || path === "tls.certFile").map(({ env }) => env);
  return [...own, ...aliases.filter(({ path }) => path === "tls.certFile").map(({ name }) => name)];
}

function hasOnlyCertificate(tls: unknown): tls is { readonly certFile: unknown } {
  return typeof tls === "object" && tls !== null && "certFile" in tls && !("keyFile" in tls);
}
