/** The dashboard's address with its key: printed at the start and by `fanfare dashboard`, good at every worker, and needed behind any proxy. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Session } from "../../packages/server/src/admin/api-types.ts";
import { Visitor } from "../admin/visitor.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { freePort } from "../support/ports.ts";
import { spawnCli, startProcess } from "../support/process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { run } from "./run.ts";

setDefaultTimeout(60_000);

/** Another connection each time, so that now one worker answers and now the other. */
const ANEW = { headers: { Connection: "close" } };
const ADDRESS = /http:\/\/\S+\/dashboard\/\?key=[-\w]{43}/;

test("`fanfare dashboard` prints the address of the start again, and it is good at every worker", async () => {
  const cwd = temporaryFolder();
  const server = await startProcess({ cwd, config: { workers: 2 } });
  const [printed = ""] = await server.prints(ADDRESS);
  const { stdout, code } = await run(["dashboard"], { cwd });
  expect([stdout.trim(), code]).toEqual([printed, 0]);
  expect(statSync(join(cwd, ".fanfare", "dashboard-key")).mode & 0o777).toBe(0o600);
  const visitor = new Visitor(`${server.url}/dashboard`);
  await visitor.openBy(printed);
  for (let time = 0; time < 12; time++) {
    expect((await visitor.ask("api/overview", ANEW)).status).toBe(200);
    expect((await new Visitor(visitor.base).ask("api/overview", ANEW)).status).toBe(401);
    await (await visitor.watch()).socket.close();
  }
  expect((await run(["status", "--json"], { cwd })).stdout).not.toContain("key=");
  await server.stop();
  expect(server.stderr).not.toContain(printed.slice(-43));
  expect((await run(["dashboard"], { cwd })).code).toBe(1);
});

test("with accounts the address has no key, and without a dashboard there is none", async () => {
  const cwd = temporaryFolder();
  const server = await startProcess({ cwd, config: { dashboard: { password: "twelve or more" } } });
  expect((await run(["dashboard"], { cwd })).stdout.trim()).toBe(`${server.url}/dashboard/`);
  await server.stop();
  const without = temporaryFolder();
  const other = await startProcess({ cwd: without, config: { dashboard: { enabled: false } } });
  expect((await run(["dashboard"], { cwd: without })).stderr).toContain("`dashboard.enabled` is false");
  await other.stop();
});

test("behind an nginx with a bare proxy_pass nobody is let in without the key", async () => {
  const server = await startProcess();
  const port = await freePort();
  const folder = temporaryFolder();
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const temporary = kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ");
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const site = `server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${server.port}; } }`;
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `${user} worker_processes 1; daemon off; pid ${folder}/pid; error_log stderr; events {} http { access_log off; ${temporary} ${site} }`,
  );
  spawnCli(["-p", folder, "-e", "stderr", "-c", file], { program: [external("nginx")] });
  const stranger = new Visitor(`http://127.0.0.1:${port}/dashboard`);
  const session = await eventually(() => stranger.ask<Session>("api/session"), { withinMs: 15_000 });
  expect(session.body).not.toHaveProperty("user");
  expect((await stranger.ask("api/overview")).status).toBe(401);
  expect((await stranger.post("api/ticket")).status).toBe(401);
  await stranger.openBy((await server.prints(ADDRESS))[0]);
  expect((await stranger.ask("api/overview")).status).toBe(200);
  await server.stop();
});
