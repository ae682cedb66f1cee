/** Why a server was not reached: it is not there, it does not answer, or its certificate is not one to trust. */

import { CliError } from "./errors.ts";

const TIMEOUT_MS = 5_000;

/** What `fetch` takes: `http+unix:///run/fanfare.sock:/ws` is the path /ws of the server at that Unix socket. */
export function fetchTarget(url: string): { readonly base: string; readonly unix?: string } {
  const [, unix, path = ""] = /^http\+unix:\/\/([^:]+):(.*)$/.exec(url) ?? [];
  return unix === undefined ? { base: url } : { base: `http://localhost${path}`, unix };
}

/** `error` is what `fetch` threw, where there is one. */
export function unreachable(url: string, error?: unknown): CliError {
  const doubt = certificateProblem(error);
  if (doubt !== undefined) return new CliError(`the certificate of ${url} is refused here: ${doubt}`);
  const timedOut = error instanceof Error && error.name === "TimeoutError";
  const what = timedOut ? `${url} does not answer` : `cannot reach ${url}`;
  return new CliError(`${what}: start the server with \`fanfare serve\`, or name another with --url`);
}

/** A WebSocket does not say why it failed: an ordinary request to the same place does. */
export async function unreachableSocket(url: string): Promise<CliError> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const { base, ...by } = fetchTarget(url.replace(/^ws/, "http"));
  const error: unknown = await fetch(`${base}/health`, { signal, ...by }).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  return unreachable(url, certificateProblem(error) === undefined ? undefined : error);
}

function certificateProblem(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return "it has expired";
    case "CERT_NOT_YET_VALID":
      return "it is not valid yet";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return "it is for another name; name the server as the certificate does with --url";
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
      return "its authority is not known; trust it with NODE_EXTRA_CA_CERTS=FILE, or have the server send its whole chain";
  }
  return undefined;
}
