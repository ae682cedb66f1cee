/** Reads certificates and private keys in PEM form, and says in words what is wrong with them. */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** In the order of the file. Throws Error where one cannot be read. */
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
