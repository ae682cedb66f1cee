/** The back ends of apps with hooks, as a serving process asks them. */

import manifest from "../../package.json" with { type: "json" };
import { Backend } from "../backend/backend.ts";
import type { Hub } from "../hub/hub.ts";
import { hookSettings } from "./hook-settings.ts";
import type { Dependencies } from "./parts.ts";

export function appBackends({ config, clock, storage }: Dependencies, hub: () => Hub): Backend {
  return new Backend({
    ...{ clock, version: manifest.version, random: Math.random, settings: hookSettings(config) },
    answered: ({ id: app }, hook, outcome, seconds) => {
      storage.metrics.hookAnswered(app, hook, outcome, seconds);
      if (outcome === "unasked") return;
      const isTaken = outcome !== "failed";
      storage.receivers.attempted({ app, target: `hook:${hook}`, tookMs: seconds * 1000, isTaken });
    },
    turned: (app, hook, isDown, why) => {
      storage.metrics.hookTurned(app.id, hook, isDown);
      storage.receivers.rested(app.id, `hook:${hook}`, isDown);
      if (isDown) hub().observe({ type: "failed", error: new Error(why), during: `the hook ${hook} of ${app.id}` });
    },
    isRevoked: async (app, user, atMs) => {
      try {
        await hub().users.revocations.check(app, user, { atMs, outdated: () => new Error() });
        return false;
      } catch {
        // It was, or nobody can say.
        return true;
      }
    },
  });
}
