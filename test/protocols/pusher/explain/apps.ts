/** The apps of the explainer's tests: the one of the protocol's test vectors, and a neighbour. */

import { parseConfig } from "../../../../packages/server/src/config/load.ts";
import type { App } from "../../../../packages/server/src/domain/app.ts";
import { APP } from "../../../support/server.ts";

const { apps } = parseConfig({
  apps: [
    { id: "3", key: APP.key, secrets: [APP.secret, "the-older-secret"] },
    { id: "neighbour", key: "neighbours-key", secret: "neighbours-secret" },
  ],
});
const [first, second] = apps;
if (first === undefined || second === undefined) throw new Error("two apps were configured");

export const app: App = first;
export const neighbour: App = second;
export const { key, secret }: { key: string; secret: string } = APP;
