/**
 * deploy/Dockerfile as Buildah builds it, without a daemon. The two base images, which no registry is asked for, are made here under the
 * names that the file has: of Debian's files on this machine, and of npm's Node and npm.
 */

import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { atEnd } from "../support/at-end.ts";
import { external } from "../support/external.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { DEPLOY } from "./proxy.ts";

const BUILDAH = external("buildah");
const NODE = external("node-22");
const NPM = external("npm-10");
external("dpkg-query");
const PROC = external("proc");

const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";
/** What the base of the last stage has, by its own description. */
const DISTROLESS = ["base-files", "ca-certificates", "libc6", "netbase", "tzdata"];
/** What Node needs, and the shell that runs the first stage. */
const SHELL = [
  ...["coreutils", "dash", "sed", "grep", "libacl1", "libattr1", "libgmp10", "libselinux1", "libpcre2-8-0"],
  ...["libgcc-s1", "libstdc++6"],
];
const COPY_PACKAGES = `
  dpkg-query --listfiles "$@" | sed -n 's,^/,,p' | sort -u |
  tar --create --directory / --no-recursion --ignore-failed-read --files-from - | tar --extract --directory "$0"`;

/** What the image says of itself. */
export interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly ExposedPorts: Readonly<Record<string, unknown>>;
  readonly Volumes: Readonly<Record<string, unknown>>;
  readonly Healthcheck: { readonly Test: readonly string[] };
}

export interface Image {
  readonly config: ImageConfig;
  /** The root folder of a new container. */
  mount(): string;
}

/** Builds the image for each of these ports. The first stage, which has nothing to do with the port, runs once. */
export function buildImages(ports: readonly number[]): readonly Image[] {
  const buildah = openStorage();
  const dockerfile = join(DEPLOY, "Dockerfile");
  const bases = readFileSync(dockerfile, "utf8").matchAll(/^FROM (\S+)/gm);
  const [forBuild = "", forImage = ""] = Array.from(bases, ([, name = ""]) => name);
  buildah("build", "--quiet", "--tag", forBuild, makeNodeBase());
  return ports.map((port) => {
    const name = `fanfare:${port}`;
    // Anew for each port: Buildah 1.28 takes the layers of one build for those of the next, although the port is another.
    buildah("build", "--quiet", "--tag", forImage, makeBase(DISTROLESS, [`LABEL port=${port}`]));
    buildah(
      ...["build", "--quiet", "--layers", "--isolation", "chroot", "--pull-never", "--format", "docker"],
      ...["--volume", `${npmSetting("cache")}:/root/.npm`, "--build-arg", `PORT=${port}`, "--tag", name],
      ...["--file", dockerfile, dirname(DEPLOY)],
    );
    const { Docker } = JSON.parse(buildah("inspect", "--type", "image", name));
    return { config: Docker.config, mount: () => buildah("mount", buildah("from", "--pull-never", name)) };
  });
}

/** Images in a folder of their own, which is gone with the file that asked. */
function openStorage() {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-images-"));
  const run = (...args: string[]) => {
    const { success, stdout, stderr } = Bun.spawnSync([BUILDAH, ...args], { env: { ...process.env, TMPDIR: folder } });
    return { success, stdout: stdout.toString().trim(), stderr: stderr.toString() };
  };
  const flagsOf = (driver: string) => [
    ...["--root", join(folder, driver), "--runroot", join(folder, `${driver}-run`), "--storage-driver", driver],
  ];
  // Where the file system cannot lay layers over each other, they are copied.
  const flags = flagsOf(run(...flagsOf("overlay"), "info").success ? "overlay" : "vfs");
  atEnd(() => {
    // The folder of the layers itself stays mounted when everything in it is gone.
    const mounts = Array.from(
      readFileSync(`${PROC}/self/mounts`, "utf8").matchAll(/^\S+ (\S+)/gm),
      ([, at = ""]) => at,
    );
    for (const at of mounts.reverse()) if (at.startsWith(`${folder}/`)) Bun.spawnSync(["umount", "--lazy", at]);
    rmSync(folder, { recursive: true, force: true });
  });
  return (...args: string[]): string => {
    const { success, stdout, stderr } = run(...flags, ...args);
    if (!success) throw new Error(`buildah ${args.join(" ")}:\n${stdout}\n${stderr}`);
    return stdout;
  };
}

/** A folder to build a base image in, with the files of these packages as this machine has them. */
function makeBase(packages: readonly string[], instructions: readonly string[] = []): string {
  const folder = temporaryFolder();
  const root = join(folder, "root");
  // Where /bin and the like point to.
  for (const name of ["bin", "sbin", "lib", "lib64"]) mkdirSync(join(root, "usr", name), { recursive: true });
  const { success, stderr } = Bun.spawnSync(["sh", "-c", COPY_PACKAGES, root, ...packages]);
  if (!success) throw new Error(`The files of ${packages.join(", ")} are not copied: ${stderr}`);
  mkdirSync(dirname(join(root, CERTIFICATES)), { recursive: true });
  copyFileSync(CERTIFICATES, join(root, CERTIFICATES));
  writeFileSync(join(folder, "Dockerfile"), ["FROM scratch", "COPY root /", ...instructions, ""].join("\n"));
  return folder;
}

/** As Node's own image: Debian with Node and npm in /usr/local. npm asks the registry that this machine asks, and trusts whom it trusts. */
function makeNodeBase(): string {
  const folder = makeBase([...DISTROLESS, ...SHELL], ["ENV PATH=/usr/local/bin:/usr/bin:/bin"]);
  const local = join(folder, "root/usr/local");
  for (const name of ["bin", "etc", "lib/node_modules"]) mkdirSync(join(local, name), { recursive: true });
  copyFileSync(NODE, join(local, "bin/node"));
  cpSync(dirname(dirname(NPM)), join(local, "lib/node_modules/npm"), { recursive: true });
  for (const name of ["npm", "npx"])
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, "bin", name));
  const settings = [`registry=${npmSetting("registry")}`, `cafile=${CERTIFICATES}`, "prefer-offline=true"];
  writeFileSync(join(local, "etc/npmrc"), `${settings.join("\n")}\n`);
  return folder;
}

function npmSetting(name: string): string {
  return Bun.spawnSync(["npm", "config", "get", name]).stdout.toString().trim();
}
