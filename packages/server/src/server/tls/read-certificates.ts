/** Reads the certificates and keys that the settings name, and says what is wrong with them before Bun has to. */

import { constants, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { createSecureContext } from "node:tls";
import type { TLSOptions } from "bun";
import { ConfigError, errorReason } from "../../config/config-error.ts";
import { type CertificateSettings, certificatesOf, type TlsSettings } from "../../config/schema/tls.ts";
import { formatPath } from "../../config/settings.ts";

/** What listeners are opened with. */
export interface TlsCredentials {
  /** For each name; the first is everybody else's. */
  readonly clients: TLSOptions[];
  /** The same for the port of the API, with the authorities of its callers. */
  readonly api?: TLSOptions[];
  /** What works, and that clients will not like. */
  readonly warnings: readonly string[];
}

/** Throws ConfigError with a line for each certificate that cannot be used. */
export async function readCertificates(settings: TlsSettings, nowMs: number = Date.now()): Promise<TlsCredentials> {
  const problems: string[] = [];
  const warnings: string[] = [];
  const collect = <T>(work: Promise<T>) => work.catch((error: Error) => void problems.push(error.message));
  const read = certificatesOf(settings).map(([place, one]) => collect(pairOf(one, formatPath(place), nowMs, warnings)));
  const pairs = (await Promise.all(read)).filter((pair) => pair !== undefined);
  const ca = settings.api && (await collect(authoritiesIn(settings.api.clientCaFile)));
  const rules = rulesOf(settings);
  const [first] = pairs;
  if (problems.length === 0 && first) checkUsable({ ...first, ...rules }, settings, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  const clients = pairs.map((pair, index) => ({ ...pair, ...rules, ...nameOf(settings, index) }));
  // Each name asks for the caller's certificate: otherwise one could come in by another name.
  const api = ca && clients.map((one) => ({ ...one, ca, requestCert: true, rejectUnauthorized: true }));
  return { clients, warnings, ...(api && { api }) };
}

/** Whether they are the same certificates, keys and rules. */
export function areSameCredentials(one: TlsCredentials, other: TlsCredentials): boolean {
  return Bun.deepEquals([one.clients, one.api], [other.clients, other.api]);
}

interface Pair {
  readonly cert: string;
  readonly key: string;
  readonly passphrase?: string;
}

async function pairOf(
  { certFile, keyFile, passphrase, caFile }: CertificateSettings,
  place: string,
  nowMs: number,
  warnings: string[],
): Promise<Pair> {
  const [ownText, key, issuers] = await Promise.all([
    textOf(`${place}.certFile`, certFile),
    textOf(`${place}.keyFile`, keyFile),
    caFile === undefined ? "" : textOf(`${place}.caFile`, caFile),
  ]);
  const own = chainIn(`${place}.certFile`, certFile, ownText);
  const chain = caFile === undefined ? own : [...own, ...chainIn(`${place}.caFile`, caFile, issuers)];
  const [leaf] = own;
  const opened = parsePrivateKey(key, passphrase);
  if (typeof opened === "string") throw new Error(`\`${place}.keyFile\`: ${keyFile}: ${opened}`);
  if (!leaf?.checkPrivateKey(opened)) {
    throw new Error(`\`${place}.keyFile\`: ${keyFile} is not the key of the first certificate in ${certFile}`);
  }
  const complaint = validityProblem(leaf, nowMs);
  if (complaint !== undefined) warnings.push(`\`${place}.certFile\`: ${certFile}: ${complaint}`);
  return { cert: chain.join("\n"), key, ...(passphrase !== undefined && { passphrase }) };
}

async function authoritiesIn(file: string): Promise<string> {
  const place = "tls.api.clientCaFile";
  return chainIn(place, file, await textOf(place, file)).join("\n");
}

async function textOf(place: string, file: string): Promise<string> {
  try {
    return await readFile(resolve(file), "utf8");
  } catch (error) {
    throw new Error(`\`${place}\`: cannot read ${file}: ${errorReason(error)}`);
  }
}

/** At least one certificate. */
function chainIn(place: string, file: string, pem: string): X509Certificate[] {
  let chain: X509Certificate[];
  try {
    chain = parseCertificates(pem);
  } catch (error) {
    throw new Error(`\`${place}\`: ${file}: ${errorReason(error)}`);
  }
  if (chain.length === 0) throw new Error(`\`${place}\`: ${file} holds no certificate in PEM form`);
  return chain;
}

/** Bun speaks 1.2 and 1.3 and nothing older. */
function rulesOf({ minVersion, ciphers }: TlsSettings) {
  return {
    ...(minVersion === "1.3" && { secureOptions: constants.SSL_OP_NO_TLSv1_2 }),
    ...(ciphers !== undefined && { ciphers }),
  };
}

function nameOf({ names }: TlsSettings, index: number): { serverName?: string } {
  const serverName = names[index - 1]?.serverName;
  return serverName === undefined ? {} : { serverName };
}

/** Whatever else Bun would not take: what it says of a listener does not name the setting. */
function checkUsable(options: TLSOptions, { ciphers }: TlsSettings, problems: string[]): void {
  try {
    createSecureContext(options as Parameters<typeof createSecureContext>[0]);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ERR_SSL_NO_CIPHER_MATCH" && ciphers !== undefined) {
      problems.push(`\`tls.ciphers\` has no cipher suite for TLS 1.2 that is known here: ${ciphers}`);
    } else {
      problems.push(`\`tls\`: the certificate cannot be used: ${errorReason(error)}`);
    }
  }
}

/** Those in a file in PEM form, in its order. Throws Error where one cannot be read. */
export function parseCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new Error(`certificate ${index + 1} in it is damaged`);
    }
  });
}

/** The key, or why there is none. */
export function parsePrivateKey(pem: string, passphrase: string | undefined): KeyObject | string {
  const isEncrypted = /ENCRYPTED/.test(pem);
  if (isEncrypted && passphrase === undefined) return "the key is encrypted, and no passphrase is set";
  try {
    return createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) });
  } catch {
    return isEncrypted ? "the passphrase does not open the key" : "there is no private key in it";
  }
}

/** Why clients refuse it at this time, or undefined where they do not. */
export function validityProblem({ validFrom, validTo }: X509Certificate, nowMs: number): string | undefined {
  if (Date.parse(validFrom) > nowMs) return `the certificate begins only on ${validFrom}`;
  return Date.parse(validTo) < nowMs ? `the certificate has expired on ${validTo}` : undefined;
}
