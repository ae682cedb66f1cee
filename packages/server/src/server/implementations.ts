/** What a program gives its server in place of what the configuration names, or beside it. */

import type { Declaration } from "@fanfare/schema";
import type { AppProvider } from "../apps/provided-apps.ts";
import type { Engine, EngineFactory, Guard, Observer, StatisticsSink } from "../domain/ports.ts";
import type { Protocol } from "../domain/transport.ts";

export interface Implementations {
  /** Carries messages between servers, and knows who is where. An `Engine` object lasts for one start; a factory makes one for each. */
  readonly engine?: Engine | EngineFactory | undefined;
  /** Looks up apps that are not in the configuration, nor in the server's database. */
  readonly apps?: AppProvider | undefined;
  /** What is declared of the application's events: what clients publish and call is checked by it. */
  readonly events?: Declaration | undefined;
  /** Decide before something happens: a connection, a command, a publication, an API call. Asked after the server's own guards. */
  readonly guards?: readonly Guard[] | undefined;
  /** Functions that receive what happened, and sinks for the statistics of each app. */
  readonly observers?: readonly (Observer | StatisticsSink)[] | undefined;
  /** Further protocols. Clients reach one at the path of its name: `ws://host/NAME?app=KEY`. */
  readonly protocols?: readonly Protocol[] | undefined;
}

export function isSink(observer: Observer | StatisticsSink): observer is StatisticsSink {
  return typeof observer !== "function";
}

export function isProvider(apps: unknown): apps is AppProvider {
  return typeof apps === "object" && apps !== null && "byKey" in apps && "byId" in apps;
}
