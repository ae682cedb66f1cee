/** Why something was refused: the reason, for a signature the characters that differ, what to do, and how often it was. */

import type { Explanation, Signed } from "fanfare/wire/admin";
import { useEffect, useState } from "preact/hooks";
import { call, path } from "../api.ts";
import type { ConsoleEntry } from "../feed.ts";
import { titleOf } from "../refusals.ts";
import { change, to } from "../route.ts";
import { may } from "../session.ts";
import { plural } from "../show.ts";
import { Comparison } from "./comparison.tsx";
import { Icon } from "./icon.tsx";

/** What the server did besides, by the kind of the entry. */
const BESIDES: Readonly<Record<string, string>> = {
  refused: "The connection stays open; only this was refused.",
  turned_away: "The connection was not let in.",
};

export function Why({ entry, alike }: { entry: ConsoleEntry; alike: number }) {
  const { app, signed, why = "", code, type, connection } = entry;
  const explanation = useExplanation(app, signed);
  const { verdict, text } = explanation ?? {};
  return (
    <section class="why" aria-label="Why">
      <div class="callout">
        <p class="callout-title">
          <Icon name="err" /> {titleOf(entry)}
        </p>
        <p class="breakable">{why}</p>
        {type !== "refused" || connection !== undefined ? <p class="soft">{BESIDES[type]}</p> : null}
        {text !== undefined && verdict?.signedText !== undefined && <Comparison must={text} was={verdict.signedText} />}
      </div>
      {verdict && (
        <ol class="fixes">
          {verdict.findings.map(({ part, says }) => (
            <li key={part + says}>
              {part !== "unknown" && <strong>{part}</strong>} {says}
            </li>
          ))}
          {verdict.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ol>
      )}
      <div class="acts">
        {signed && app !== undefined && may("operate") && (
          <a class="button" href={to("explain", { app, ...signed })}>
            <Icon name="key" isSmall /> Explain this signature
          </a>
        )}
        {code !== undefined && alike > 1 && (
          <button type="button" class="quiet" onClick={() => change({ reason: code, show: "errors" })}>
            {plural(alike, "refusal")} like this
          </button>
        )}
      </div>
    </section>
  );
}

/** By the very code that refused it. Who may not ask sees the reason only. */
function useExplanation(app: string | undefined, signed: Signed | undefined): Explanation | undefined {
  const [answer, put] = useState<{ readonly of: Signed; readonly explanation: Explanation }>();
  useEffect(() => {
    if (!signed || app === undefined || !may("operate")) return;
    const abort = new AbortController();
    call<Explanation>("POST", path(["apps", app, "explain"]), signed, abort.signal)
      .then((explanation) => put({ of: signed, explanation }))
      // What was left out of it, for it may be secret, cannot be explained.
      .catch(() => {});
    return () => abort.abort();
  }, [app, signed]);
  return answer?.of === signed ? answer?.explanation : undefined;
}
