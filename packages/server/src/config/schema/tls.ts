/** The settings of TLS, and which files they name. */

import type * as z from "zod/mini";
import { fileName, integer, list, object, oneOf, optional, seconds, tcpHost, text, withDefault } from "./fields.ts";

const certificate = {
  certFile: fileName("File with the certificate and its chain (PEM)."),
  keyFile: fileName("File with the private key (PEM)."),
  passphrase: text("Opens the private key.", { secret: true }).apply(optional),
  caFile: fileName(
    "File with the certificates of those who issued it (PEM), where `certFile` has only the server's own.",
  ).apply(optional),
};

const namedCertificate = object(
  "A certificate for one more host name.",
  {
    serverName: text("Host name that clients ask for; `*.a.example` is any one below it.", {
      pattern: /^(\*\.)?([A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?$/,
      expects: 'a host name such as "ws.a.example" or "*.a.example"',
    }),
    ...certificate,
  },
  "an object with `serverName`, `certFile` and `keyFile`",
);

const api = object(
  "The HTTP API has a port of its own, and only callers with a certificate of these authorities get through.",
  {
    port: integer("Port for API calls; 0 picks a free one.", 0, 65_535),
    host: tcpHost("Address to listen on for them, where it is not `host`.").apply(optional),
    clientCaFile: fileName("File with the authorities that issue the callers' certificates (PEM)."),
  },
  "an object with `port` and `clientCaFile`",
);

export const tls = object(
  "Serve wss:// and https:// directly. Without it, TLS is left to a proxy.",
  {
    ...certificate,
    minVersion: oneOf("The oldest version of TLS that is spoken.", ["1.2", "1.3"]).apply(withDefault, "1.2"),
    ciphers: text("Cipher suites for TLS 1.2, in OpenSSL's names with colons between; those of 1.3 are fixed.").apply(
      optional,
    ),
    names: list(
      "Certificates for further host names (SNI); all other clients get `certFile`.",
      namedCertificate,
      "a list of certificates with their `serverName`",
    ).apply(withDefault, []),
    watchS: seconds("How often the files are checked for new certificates, in seconds; 0 for never.", 0).apply(
      withDefault,
      60,
    ),
    api: api.apply(optional),
  },
  "an object with `certFile` and `keyFile`",
).apply(optional);

export type TlsSettings = NonNullable<z.output<typeof tls>>;

/** What one certificate needs, of the default or of a further name. */
export type CertificateSettings = Pick<TlsSettings, keyof typeof certificate>;

type Path = readonly (string | number)[];

/** Every certificate with its place in the configuration: the default, then those for further names. */
export function certificatesOf(settings: TlsSettings): readonly (readonly [Path, CertificateSettings])[] {
  return [[["tls"], settings], ...settings.names.map((one, index) => [["tls", "names", index], one] as const)];
}

/** Every file that the settings name, with its place in the configuration. */
export function tlsFiles(settings: TlsSettings): readonly (readonly [Path, file: string])[] {
  const files = certificatesOf(settings).flatMap(([path, { certFile, keyFile, caFile }]) =>
    Object.entries({ certFile, keyFile, caFile }).flatMap(([key, file]) =>
      file === undefined ? [] : [[[...path, key], file] as const],
    ),
  );
  return settings.api ? [...files, [["tls", "api", "clientCaFile"], settings.api.clientCaFile]] : files;
}
