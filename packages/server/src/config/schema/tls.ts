/** The part of the table that is about TLS. */

import { z } from "zod";
import { oneOf, optionalHost, optionalText, requiredText, seconds, settingInfo } from "./fields.ts";

const list = { parse: "json" } as const;

const certificate = {
  certFile: requiredText("File with the certificate and its chain (PEM).", { expects: "the name of a file" }),
  keyFile: requiredText("File with the private key (PEM).", { expects: "the name of a file" }),
  passphrase: optionalText("Opens the private key.", { secret: true }),
  caFile: optionalText(
    "File with the certificates of those who issued it (PEM), where `certFile` has only the server's own.",
    { expects: "the name of a file" },
  ),
};

const namedCertificate = z
  .strictObject({
    serverName: requiredText("Host name that clients ask for; `*.a.example` is any one below it.", {
      pattern: /^(\*\.)?([A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?$/,
      expects: 'a host name such as "ws.a.example" or "*.a.example"',
    }),
    ...certificate,
  })
  .register(settingInfo, {
    ...list,
    description: "A certificate for one more host name.",
    expects: "an object with `serverName`, `certFile` and `keyFile`",
  });

const tlsApi = z
  .strictObject({
    port: z.number().int().min(0).max(65_535).register(settingInfo, {
      description: "Port for API calls; 0 picks a free one.",
      expects: "a whole number from 0 to 65535",
      parse: "number",
    }),
    host: optionalHost("Address to listen on for them, where it is not `host`."),
    clientCaFile: requiredText("File with the authorities that issue the callers' certificates (PEM).", {
      expects: "the name of a file",
    }),
  })
  .exactOptional()
  .register(settingInfo, {
    ...list,
    description:
      "The HTTP API has a port of its own, and only callers with a certificate of these authorities get through.",
    expects: "an object with `port` and `clientCaFile`",
  });

export const tls = z
  .strictObject({
    ...certificate,
    minVersion: oneOf("The oldest version of TLS that is spoken.", ["1.2", "1.3"], "1.2"),
    ciphers: optionalText("Cipher suites for TLS 1.2, in OpenSSL's names with colons between; those of 1.3 are fixed."),
    names: z
      .array(namedCertificate)
      .default([])
      .register(settingInfo, {
        ...list,
        description: "Certificates for further host names (SNI); everybody else gets `certFile`.",
        expects: "a list of certificates with their `serverName`",
      }),
    watchS: seconds("How often the files are looked at for new certificates, in seconds; 0 for never.", 60, 0),
    api: tlsApi,
  })
  .exactOptional()
  .register(settingInfo, {
    ...list,
    description: "Serve wss:// and https:// directly. Without it, TLS is left to a proxy.",
    expects: "an object with `certFile` and `keyFile`",
  });

export type TlsSettings = NonNullable<z.output<typeof tls>>;

/** What one certificate needs, of the default or of a further name. */
export type CertificateSettings = Pick<TlsSettings, keyof typeof certificate>;

/** A place in the settings, as `spell` writes it. */
type Place = readonly (string | number)[];

/** Every certificate: the default, then those for further names. */
export function certificatesOf(settings: TlsSettings): readonly (readonly [Place, CertificateSettings])[] {
  const named = settings.names.map((one, index) => [["tls", "names", index], one] as const);
  return [[["tls"], settings], ...named];
}

/** Every file that the settings name. */
export function tlsFiles(settings: TlsSettings): readonly (readonly [Place, file: string])[] {
  const own = certificatesOf(settings).flatMap(([place, one]) =>
    (["certFile", "keyFile", "caFile"] as const).flatMap((key) => {
      const file = one[key];
      return file === undefined ? [] : [[[...place, key], file] as const];
    }),
  );
  return settings.api ? [...own, [["tls", "api", "clientCaFile"], settings.api.clientCaFile]] : own;
}
