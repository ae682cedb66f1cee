/** Programs that tests run against and npm cannot install. Installed where that is possible; never skipped. */

import { existsSync } from "node:fs";

interface Need {
  readonly name: string;
  readonly binary: string;
  /** Debian's package. */
  readonly apt: string;
  readonly why: string;
}

const NEEDS: readonly Need[] = [
  { name: "Chromium", binary: "/usr/bin/chromium", apt: "chromium", why: "the browser tests open pages in it" },
  { name: "zsh", binary: "/usr/bin/zsh", apt: "zsh", why: "the completion for it is typed into it" },
  { name: "faketime", binary: "/usr/bin/faketime", apt: "faketime", why: "the fault tests let the clock jump with it" },
  { name: "nginx", binary: "/usr/sbin/nginx", apt: "nginx", why: "the deployment tests put it in front of a server" },
  { name: "HAProxy", binary: "/usr/sbin/haproxy", apt: "haproxy", why: "the deployment tests put it before a server" },
  { name: "Caddy", binary: "/usr/bin/caddy", apt: "caddy", why: "the deployment tests put it in front of a server" },
  {
    name: "OpenSSL",
    binary: "/usr/bin/openssl",
    apt: "openssl",
    why: "the deployment tests make a certificate with it",
  },
  {
    name: "ip",
    binary: "/usr/sbin/ip",
    apt: "iproute2",
    why: "a fault test pulls the cable of a network made with it",
  },
  { name: "Redis", binary: "/usr/bin/redis-server", apt: "redis-server", why: "the Redis engine is tested on it" },
  { name: "NATS", binary: "/usr/sbin/nats-server", apt: "nats-server", why: "the NATS engine is tested on it" },
  { name: "PostgreSQL", binary: "/usr/bin/pg_lsclusters", apt: "postgresql", why: "the database tests run on it" },
  { name: "MariaDB", binary: "/usr/sbin/mariadbd", apt: "mariadb-server", why: "the database tests run on it" },
  { name: "promtool", binary: "/usr/bin/promtool", apt: "prometheus", why: "the alert rules are checked with it" },
  { name: "systemd", binary: "/usr/bin/systemd-analyze", apt: "systemd", why: "the unit file is checked with it" },
];

const TRIES = 3;
const PAUSE_BETWEEN_TRIES_MS = 1_000;

/** Installs what is missing. Answers with a sentence for each thing that could not be had. */
export async function provideNeeds(): Promise<string[]> {
  const missing = NEEDS.filter((need) => !existsSync(need.binary));
  if (missing.length === 0) return [];
  const packages = missing.map((need) => need.apt);
  if (mayInstall()) await install(packages);
  const command = `${process.getuid?.() === 0 ? "" : "sudo "}apt-get install -y --no-install-recommends ${packages.join(" ")}`;
  return missing
    .filter((need) => !existsSync(need.binary))
    .map((need) => `${need.name} is missing at ${need.binary} (${need.why}). Install it: ${command}`);
}

function mayInstall(): boolean {
  return process.getuid?.() === 0 && Bun.which("apt-get") !== null;
}

async function install(packages: readonly string[]): Promise<void> {
  console.log(`Installing ${packages.join(", ")} for the tests`);
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    if (attempt > 1) {
      await Bun.sleep(PAUSE_BETWEEN_TRIES_MS);
      // An outdated or empty package list is the usual reason for a refusal.
      apt(["update"]);
    }
    if (apt(["install", "-y", "--no-install-recommends", ...packages])) return;
  }
}

function apt(args: readonly string[]): boolean {
  const run = Bun.spawnSync(["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=3", ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return run.success;
}
