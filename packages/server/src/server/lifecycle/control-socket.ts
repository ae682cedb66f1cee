/**
 * The socket in the state folder by which the owner of the process controls it: reload, drain, rebalance, status, stats. It speaks
 * HTTP, so that `curl --unix-socket` works as well, and is open only to the user that the server runs as.
 */

import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Logger } from "pino";
import { ConfigError, errorReason } from "../../config/config-error.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { ClusterShares } from "../../domain/ports.ts";
import { codeOf, messageOf } from "../../domain/thrown.ts";
import { claimPath, draftPath, fileIdOf } from "./claim-path.ts";
import type { Reloaded } from "./reload.ts";
import type { Stats, Status } from "./status.ts";

/** What the socket can have a server do. */
export interface ControlCommands {
  readonly dashboardUrl: string | undefined;
  status(): Promise<Status>;
  stats(app: string | undefined): Promise<Stats>;
  reload(): Promise<Reloaded>;
  replaceWorkers(): Promise<void>;
  drain(isOn: boolean): Promise<void>;
  rebalance(): Promise<ClusterShares>;
}

/**
 * Workers that are swapped are waited for as long as their clients take to leave. For a socket of this kind Bun heeds nothing that
 * is said of a single request; its types do not know that it heeds this.
 */
const NO_TIMEOUT: object = { idleTimeout: 0 };

/** How long the owner of the socket may take to answer. */
const PROBE_MS = 2_000;

export function controlPath(stateDir: string): string {
  return join(resolve(stateDir), "control.sock");
}

export class ControlSocket {
  readonly #path: string;
  readonly #fileId: string | undefined;
  readonly #server: ReturnType<typeof Bun.serve>;

  /**
   * Throws where another process answers there, or the path cannot be claimed. It is bound under another name first.
   */
  static async open(stateDir: string, answers: ControlCommands): Promise<ControlSocket> {
    const path = controlPath(stateDir);
    mkdirSync(resolve(stateDir), { recursive: true, mode: 0o700 });
    const draft = draftPath(path);
    const server = bind(draft, answers);
    try {
      await claimPath(draft, path, () => checkOwner(path));
      return new ControlSocket(path, fileIdOf(path), server);
    } catch (error) {
      await server.stop(true);
      throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  }

  /** Undefined where it is not wanted, or cannot be had: the server goes on without, and logs a warning. */
  static async openIfWanted(
    { control, stateDir }: Pick<Config, "control" | "stateDir">,
    answers: ControlCommands,
    log: Logger,
  ): Promise<ControlSocket | undefined> {
    if (!control) return undefined;
    try {
      return await ControlSocket.open(stateDir, answers);
    } catch (error) {
      log.warn(`no control socket, so reload, status and stats cannot reach this process: ${errorReason(error)}`);
      return undefined;
    }
  }

  private constructor(path: string, fileId: string | undefined, server: ReturnType<typeof Bun.serve>) {
    this.#path = path;
    this.#fileId = fileId;
    this.#server = server;
  }

  /** Answers what is being asked, then is gone; never takes away another's socket. */
  async close(): Promise<void> {
    if (fileIdOf(this.#path) === this.#fileId) rmSync(this.#path, { force: true });
    await this.#server.stop(false);
  }
}

/** For the owner alone from its first moment: a socket's rights are those of the mask when it is bound. */
function bind(path: string, answers: ControlCommands) {
  const mask = process.umask(0o177);
  try {
    const server = Bun.serve({
      unix: path,
      ...NO_TIMEOUT,
      fetch: (request) => answer(request, answers),
    });
    chmodSync(path, 0o600);
    return server;
  } finally {
    process.umask(mask);
  }
}

async function answer(request: Request, answers: ControlCommands): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const headers = { Connection: "close" };
  try {
    switch (`${request.method} ${pathname}`) {
      case "GET /status":
        return Response.json(await answers.status(), { headers });
      case "GET /stats":
        return Response.json(await answers.stats(searchParams.get("app") ?? undefined), { headers });
      case "GET /dashboard":
        return Response.json({ url: answers.dashboardUrl }, { headers });
      case "POST /reload": {
        const reloaded = await answers.reload();
        if (searchParams.has("workers")) await answers.replaceWorkers();
        return Response.json(reloaded, { headers });
      }
      case "POST /drain":
        await answers.drain(!searchParams.has("end"));
        return Response.json(await answers.status(), { headers });
      case "POST /rebalance":
        return Response.json(await answers.rebalance(), { headers });
    }
    const error = "GET /status, GET /stats, GET /dashboard, POST /reload, POST /drain, POST /rebalance";
    return Response.json({ error }, { status: 404, headers });
  } catch (error) {
    const message = messageOf(error);
    return Response.json({ error: message }, { status: error instanceof ConfigError ? 422 : 409, headers });
  }
}

async function checkOwner(path: string): Promise<void> {
  const pid = await ownerOf(path);
  if (pid !== undefined) throw new Error(`${path} belongs to the server that runs as process ${pid}`);
}

/** Undefined where no process listens any more. One that listens and does not answer owns it all the same. */
async function ownerOf(path: string): Promise<number | "unknown" | undefined> {
  try {
    const response = await fetch("http://fanfare/status", { unix: path, signal: AbortSignal.timeout(PROBE_MS) });
    const status: unknown = await response.json();
    const pid = typeof status === "object" && status !== null && "pid" in status ? status.pid : undefined;
    return typeof pid === "number" ? pid : "unknown";
  } catch (error) {
    const code = codeOf(error);
    if (code === "ECONNREFUSED" || code === "ENOENT" || code === "FailedToOpenSocket") return undefined;
    return "unknown";
  }
}
