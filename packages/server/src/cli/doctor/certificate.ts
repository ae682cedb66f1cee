/** Checks the certificate: readable, for its key, in time, with names, and with the chain that clients need. */

import { type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { rootCertificates } from "node:tls";
import { errorReason } from "../../config/config-error.ts";
import type { Config } from "../../config/load.ts";
import type { CertificateSettings } from "../../config/schema/tls.ts";
import { parseCertificates, parsePrivateKey, validityProblem } from "../../server/tls/read-certificates.ts";
import { plural } from "../output.ts";
import { type Finding, findings } from "./finding.ts";

const { ok, warning, problem } = findings("tls");

/** Of each name, and the authorities of the API's callers. */
export async function checkCertificate(tls: Config["tls"], cwd: string, nowMs: number): Promise<Finding[]> {
  if (tls === undefined) return [ok("off; a proxy in front may serve wss://")];
  const own = await checkOne(tls, cwd, nowMs);
  const named = await Promise.all(
    tls.names.map(async (one) => {
      const all = await checkOne(one, cwd, nowMs);
      return all.map((finding) => ({ ...finding, says: `${one.serverName}: ${finding.says}` }));
    }),
  );
  return [...own, ...named.flat(), ...(tls.api ? [await checkCallers(tls.api.clientCaFile, cwd, nowMs)] : [])];
}

async function checkOne(settings: CertificateSettings, cwd: string, nowMs: number): Promise<Finding[]> {
  const { certFile, keyFile, caFile, passphrase } = settings;
  try {
    const chain = parseCertificates(await textOf(cwd, certFile));
    const [leaf] = chain;
    if (leaf === undefined) return [problem(`${certFile} holds no certificate`, "give it the certificate in PEM form")];
    if (caFile !== undefined) chain.push(...parseCertificates(await textOf(cwd, caFile)));
    const key = parsePrivateKey(await textOf(cwd, keyFile), passphrase);
    const keyFinding = typeof key === "string" ? problem(`${keyFile}: ${key}`, KEY_CHANGE) : pairFinding(leaf, key);
    return [keyFinding, timeFinding(leaf, nowMs), nameFinding(leaf), chainFinding(leaf, chain)];
  } catch (error) {
    const change = "name files in PEM form with tls.certFile and tls.keyFile";
    return [problem(`the certificate cannot be used: ${errorReason(error)}`, change)];
  }
}

async function checkCallers(file: string, cwd: string, nowMs: number): Promise<Finding> {
  const change = "name the certificates of those who issue the callers' with tls.api.clientCaFile";
  try {
    const authorities = parseCertificates(await textOf(cwd, file));
    if (authorities.length === 0) return problem(`${file} holds no certificate`, change);
    const late = authorities.map((one) => validityProblem(one, nowMs)).find((complaint) => complaint !== undefined);
    return late === undefined ? ok(`callers of the API need one by ${file}`) : problem(`${file}: ${late}`, change);
  } catch (error) {
    return problem(`${file} cannot be used: ${errorReason(error)}`, change);
  }
}

function textOf(cwd: string, file: string): Promise<string> {
  return readFile(resolve(cwd, file), "utf8");
}

const KEY_CHANGE =
  "name the private key in PEM form with tls.keyFile, and its passphrase, if it has one, with tls.passphrase";
const RENEWED = "renew the certificate, and let the server read it again";

function pairFinding(leaf: X509Certificate, key: KeyObject): Finding {
  if (leaf.checkPrivateKey(key)) return ok("certificate and key belong together");
  const change = "name the key it was issued for; in the certificate file the server's own has to come first";
  return problem("the key is not that of the certificate", change);
}

const DAY_MS = 86_400_000;
const SOON_DAYS = 14;

function timeFinding(leaf: X509Certificate, nowMs: number): Finding {
  const complaint = validityProblem(leaf, nowMs);
  if (complaint !== undefined) {
    return problem(complaint, complaint.includes("expired") ? RENEWED : "wait, or set the clock right");
  }
  const days = Math.floor((Date.parse(leaf.validTo) - nowMs) / DAY_MS);
  const says = `the certificate is good for ${plural(days, "more day")}`;
  return days < SOON_DAYS ? warning(says, RENEWED) : ok(says);
}

function nameFinding({ subjectAltName }: X509Certificate): Finding {
  if (subjectAltName) return ok(`it is for ${subjectAltName.replaceAll(/(DNS|IP Address):/g, "")}`);
  return problem(
    "the certificate names no host (no subjectAltName)",
    "have it issued with the host's name; browsers need it",
  );
}

function chainFinding(leaf: X509Certificate, chain: readonly X509Certificate[]): Finding {
  const last = chain.at(-1) ?? leaf;
  const gap = chain.findIndex((one, index) => {
    const next = chain[index + 1];
    return next !== undefined && !one.checkIssued(next);
  });
  if (gap >= 0) return problem(`certificate ${gap + 2} in the file did not issue certificate ${gap + 1}`, ORDER);
  if (leaf.checkIssued(leaf)) {
    return warning("the certificate is self-signed: clients refuse it unless they are set up to trust it", SELF_SIGNED);
  }
  if (last.checkIssued(last) || isIssuedByRoot(last)) return ok(`the chain is complete (${chain.length})`);
  const which = chain.length === 1 ? "it" : "the last of the chain";
  return warning(`who issued ${which} is not in the file, nor a known root`, ORDER);
}

const ORDER =
  "put the issuer's intermediate certificates behind the server's own in tls.certFile, in order (`fullchain.pem`)";
const SELF_SIGNED = "for anything but tests take one from an authority, such as Let's Encrypt";

function isIssuedByRoot(certificate: X509Certificate): boolean {
  return rootCertificates.some((pem) => {
    const root = new X509Certificate(pem);
    return certificate.checkIssued(root) && certificate.verify(root.publicKey);
  });
}
