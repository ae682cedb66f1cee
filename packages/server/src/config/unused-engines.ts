/** What belongs to an engine that is not the chosen one: whatever it says, it never keeps the server from starting. */

import { type ConfigBuilder, withSource } from "./config-builder.ts";
import { describeValue } from "./config-error.ts";
import { isShared } from "./environment/environment.ts";
import { schema } from "./schema/schema.ts";
import { factsAt } from "./settings.ts";

const ENGINES = ["redis", "nats"] as const;

/** The same draft, without what cannot be used and is not. */
export function leaveOutUnused(draft: ConfigBuilder): ConfigBuilder {
  const { engine = "memory" } = draft.values;
  for (const section of ENGINES.filter((one) => one !== engine)) {
    const kept = draft.problems.filter(({ path }) => !path?.startsWith(`${section}.`));
    draft.problems.splice(0, draft.problems.length, ...kept);
    const values: Record<PropertyKey, unknown> = Object(draft.values[section]);
    const { error } = schema.shape[section].safeParse(values);
    for (const key of new Set(error?.issues.flatMap(({ path }) => path.slice(0, 1)))) {
      const path = `${section}.${String(key)}`;
      const from = draft.sources.get(path);
      const { facts } = factsAt([section, key]);
      const sentence = `\`${path}\` has to be ${facts.expects}, but is ${describeValue(values[key], facts.secret)}`;
      // What another program does with its own variable is no business of ours.
      if (from === undefined || !isShared(from)) {
        draft.warnings.push(`${withSource(sentence, from)}; it is not used, as \`engine\` is ${describeValue(engine)}`);
      }
      delete values[key];
      draft.sources.delete(path);
    }
  }
  return draft;
}
