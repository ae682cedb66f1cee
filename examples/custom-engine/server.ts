/** A server that an engine of the program's own carries. */

import { createServer } from "fanfare";
import { customEngine } from "./engine.ts";

const fanfare = createServer({
  port: Number(process.env.FANFARE_PORT ?? 9501),
  engine: customEngine,
  apps: [{ id: "custom", key: "custom-key", secret: "custom-secret", anonymous: true }],
});
await fanfare.start();
console.log(`http://localhost:${fanfare.port}/ runs on an engine of its own`);
