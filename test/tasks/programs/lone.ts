/** A program that gives a task, never stops its server, and has to end by itself. Says which threads it has. */

import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "../../../packages/server/src/index.ts";

const workers = () =>
  readdirSync("/proc/self/task").filter((id) => readFileSync(`/proc/self/task/${id}/comm`, "utf8") === "Worker\n")
    .length;

const server = createServer({ host: "127.0.0.1", port: 0, log: { level: "silent" } });
const before = workers();
const result = await server.task((x: number) => x + 1, 41);
console.log(JSON.stringify({ before, result, after: workers() }));
