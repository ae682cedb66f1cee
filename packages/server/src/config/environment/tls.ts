/** What the environment says about TLS besides its settings: whether there is any, and that a certificate brings its key. */

import type { ConfigBuilder } from "../config-builder.ts";
import { describeValue } from "../config-error.ts";
import { parseBoolean } from "../parse-value.ts";
import { type Environment, readVariable } from "./environment.ts";
import { CERTIFICATE_WITH_KEY, foreignVariables, TLS_SWITCH } from "./foreign-variables.ts";

/** May hold a passphrase. */
const WHOLE_OBJECT = "FANFARE_TLS";

/** Off removes what the file says, and the certificate that belongs to the switch; another one contradicts it. */
export function switchTls(builder: ConfigBuilder, env: Environment): void {
  const text = readVariable(TLS_SWITCH, env);
  if (text === undefined) return;
  const isOn = parseBoolean(text);
  if (isOn === undefined) builder.refuse(`${TLS_SWITCH} has to be true or false, but is ${describeValue(text)}`);
  if (isOn !== false) return;
  const theirs = foreignVariables.filter(({ name, path }) => path === "tls.certFile" && !name.startsWith(TLS_SWITCH));
  for (const name of [WHOLE_OBJECT, "FANFARE_TLS_CERT_FILE", ...theirs.map((variable) => variable.name)]) {
    const file = readVariable(name, env);
    if (file === undefined) continue;
    const both = `${TLS_SWITCH} is ${describeValue(text)} and ${name} is ${describeValue(file, name === WHOLE_OBJECT)}`;
    builder.refuse(`${both}: one leaves TLS out, the other asks for it, so unset one of them`);
  }
  removeTls(builder);
}

/** To be called when every source is merged. */
export function completeTls(builder: ConfigBuilder, env: Environment): void {
  const { sources, values } = builder;
  const configured = [...sources].filter(([path]) => path.startsWith("tls."));
  if (configured.length > 0 && configured.every(isUselessAlone)) removeTls(builder);
  const { tls } = values;
  if (tls === undefined) {
    if (parseBoolean(readVariable(TLS_SWITCH, env) ?? "") !== true) return;
    const where = "set WEBSOCKET_SSL_CERT and WEBSOCKET_SSL_KEY, or `tls.certFile` and `tls.keyFile`";
    builder.refuse(`${TLS_SWITCH} is true, but there is no certificate: ${where}`);
    return;
  }
  const { certFile, keyFile }: { certFile?: unknown; keyFile?: unknown } = Object(tls);
  const bringsKey = builder.sourceOf(["tls", "certFile"]) === CERTIFICATE_WITH_KEY;
  if (bringsKey && keyFile === undefined) builder.set("tls.keyFile", certFile, CERTIFICATE_WITH_KEY);
}

/** Other servers have no TLS where they have no certificate, whatever their passphrase is. */
function isUselessAlone([path, source]: readonly [path: string, source: string]): boolean {
  const isAlone = path === "tls.passphrase" || path === "tls.caFile";
  return isAlone && foreignVariables.some(({ name }) => name === source);
}

function removeTls({ sources, values }: ConfigBuilder): void {
  delete values.tls;
  for (const path of [...sources.keys()].filter((one) => one.startsWith("tls."))) sources.delete(path);
}
