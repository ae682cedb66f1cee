/** A program with a server in it that logs all it can, in the format it is told, and has a handler that fails on request. */

import { createServer } from "../../packages/server/src/index.ts";

const settings = JSON.parse(process.env.SETTINGS ?? "{}");
const server = createServer({ ...settings, host: "127.0.0.1", port: 0 });
server.handle("fail", (_connection, data) => {
  throw new Error(String(data));
});
await server.start();
process.on("SIGTERM", () => void server.stop().then(() => process.exit(0)));
