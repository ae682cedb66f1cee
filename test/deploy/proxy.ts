/** The reverse proxies' files as they are in deploy/, started for real: only ports and certificates are other ones. */

import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { spawnCli } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

export const DEPLOY = join(import.meta.dir, "..", "..", "deploy");

export const PROXIES = ["nginx", "HAProxy", "Caddy"] as const;
export type ProxyName = (typeof PROXIES)[number];

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** What a client has to trust. */
  readonly pem: string;
}

export interface Proxy {
  readonly url: string;
  readonly port: number;
  readonly secureUrl: string;
}

export interface ProxyOptions {
  readonly upstreamPort: number;
  readonly certificate: Certificate;
  /** As many as there may be at once; 200 where not given. */
  readonly connections?: number;
  /** Further replacements in its file. */
  readonly changes?: Changes;
}

/** Text to text. Every one has to be in the file. */
type Changes = Readonly<Record<string, string>>;

/** For localhost and 127.0.0.1, signed by itself. */
export async function makeCertificate(): Promise<Certificate> {
  const folder = temporaryFolder();
  const certFile = join(folder, "cert.pem");
  const keyFile = join(folder, "key.pem");
  const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const files = ["-keyout", keyFile, "-out", certFile];
  const args = [...request, ...files, "-days", "2", "-subj", "/CN=localhost", "-addext", names];
  const openssl = spawnCli(args, { program: [external("openssl")] });
  const { code } = await openssl.ended();
  if (code !== 0) throw new Error(`openssl ended with ${code}:\n${openssl.output}`);
  return { certFile, keyFile, pem: readFileSync(certFile, "utf8") };
}

/** Another program may take a free port before the proxy does. */
const MOST_STARTS = 5;

/** Resolves when `/health` answers through it. Ends with the test or file. */
export async function startProxy(name: ProxyName, options: ProxyOptions, attempt = 1): Promise<Proxy> {
  const port = freePort();
  const securePort = freePort();
  const command = COMMANDS[name]({ ...options, port, securePort, folder: temporaryFolder() });
  const [program = "", ...args] = command;
  const child = spawnCli(args, { program: [program], env: { HOME: temporaryFolder() } });
  const url = `http://127.0.0.1:${port}`;
  await eventually(
    async () => {
      if (child.hasEnded) return;
      const { status } = await fetch(`${url}/health`);
      if (status !== 200) throw new Error(`${name} answers ${status}:\n${child.output}`);
    },
    { withinMs: 15_000 },
  );
  if (!child.hasEnded) return { url, port, secureUrl: `https://127.0.0.1:${securePort}` };
  if (/address already in use/i.test(child.output) && attempt < MOST_STARTS)
    return startProxy(name, options, attempt + 1);
  throw new Error(`${name} ended:\n${child.output}`);
}

interface Place extends ProxyOptions {
  readonly port: number;
  readonly securePort: number;
  readonly folder: string;
}

const COMMANDS: Record<ProxyName, (place: Place) => string[]> = { nginx, HAProxy: haproxy, Caddy: caddy };

function nginx({ port, securePort, upstreamPort, certificate, connections = 200, changes, folder }: Place): string[] {
  const site = changed("nginx.conf", {
    "listen 80;": `listen 127.0.0.1:${port};`,
    "listen 443 ssl;": `listen 127.0.0.1:${securePort} ssl;`,
    "127.0.0.1:9501": `127.0.0.1:${upstreamPort}`,
    "/etc/ssl/ws.example.com/fullchain.pem": certificate.certFile,
    "/etc/ssl/ws.example.com/privkey.pem": certificate.keyFile,
    ...changes,
  });
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const temporary = kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ");
  // Around it, what a distribution's nginx.conf has around /etc/nginx/conf.d.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const main = join(folder, "main.conf");
  writeFileSync(
    main,
    `${user} worker_processes 1; daemon off; pid ${folder}/pid; error_log stderr warn;
     events { worker_connections ${2 * connections + 56}; }
     http { access_log off; ${temporary}\n${site}\n}`,
  );
  return [external("nginx"), "-p", folder, "-e", "stderr", "-c", main];
}

function haproxy({ port, securePort, upstreamPort, certificate, connections = 200, changes, folder }: Place): string[] {
  const pem = join(folder, "ws.example.com.pem");
  writeFileSync(pem, readFileSync(certificate.certFile, "utf8") + readFileSync(certificate.keyFile, "utf8"));
  const file = join(folder, "haproxy.cfg");
  writeFileSync(
    file,
    changed("haproxy.cfg", {
      // As many as a test machine's limit of open files leaves room for.
      "maxconn 100000": `maxconn ${connections}`,
      "bind :80\n": `bind 127.0.0.1:${port}\n`,
      "bind :443 ": `bind 127.0.0.1:${securePort} `,
      "/etc/haproxy/certs/ws.example.com.pem": pem,
      "127.0.0.1:9501": `127.0.0.1:${upstreamPort}`,
      ...changes,
    }),
  );
  return [external("haproxy"), "-db", "-f", file];
}

function caddy({ port, securePort, upstreamPort, certificate, changes, folder }: Place): string[] {
  const keys = join(folder, "key.pem");
  copyFileSync(certificate.keyFile, keys);
  const site = changed("Caddyfile", {
    "ws.example.com {": `http://127.0.0.1:${port} {\n\timport fanfare\n}\nhttps://127.0.0.1:${securePort} {\n\ttls ${certificate.certFile} ${keys}\n\timport fanfare\n}\n(fanfare) {`,
    "127.0.0.1:9501": `127.0.0.1:${upstreamPort}`,
    ...changes,
  });
  // Snippets come before their use.
  const [head = "", snippet = ""] = site.split("(fanfare) {");
  const file = join(folder, "Caddyfile");
  const options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n";
  writeFileSync(file, `${options}(fanfare) {${snippet}\n${head}`);
  return [external("caddy"), "run", "--adapter", "caddyfile", "--config", file];
}

function changed(name: string, changes: Changes): string {
  let text = readFileSync(join(DEPLOY, name), "utf8");
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`deploy/${name} has no ${JSON.stringify(from)}`);
    text = text.replaceAll(from, () => to);
  }
  return text;
}

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}
