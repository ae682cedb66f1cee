/** Why something was refused: the reason, for a signature the characters that differ, what to do, and how often it was. */

import type { Explanation, Signed } from "fanfare/wire/admin";
import { useEffect, useState } from "preact/hooks";
import { call, path } from "../api.ts";
import type { ConsoleEntry } from "../feed.ts";
import { nameOfUser } from "../names.ts";
import { plainRefusal } from "../plain-refusal.ts";
import { troubleIn } from "../refusals.ts";
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

interface WhyProps {
  readonly entry: ConsoleEntry;
  /** Those here that were refused for the same reason, this one among them. */
  readonly alike: readonly ConsoleEntry[];
}

export function Why({ entry, alike }: WhyProps) {
  const { app, signed, code, type, connection } = entry;
  const explanation = useExplanation(app, signed);
  const { verdict, text } = explanation ?? {};
  const { title, says } = plainRefusal(entry, explanation);
  return (
    <section class="why" aria-label="Why">
      <div class="callout">
        <p class="callout-title">
          <Icon name="err" /> {title}
        </p>
        {says !== "" && <p class="breakable">{withCode(says)}</p>}
        {text !== undefined && verdict?.signedText !== undefined && <Comparison must={text} was={verdict.signedText} />}
        <p class="breakable raw-reason">
          {troubleIn(entry).reason}
          {(type !== "refused" || connection !== undefined) && BESIDES[type] ? ` ${BESIDES[type]}` : ""}
        </p>
      </div>
      <ol class="fixes">
        {verdict?.findings.map(({ part, says: finding }) => (
          <li key={part + finding}>
            {part !== "unknown" && <strong>{part}</strong>} {finding}
          </li>
        ))}
        {verdict?.notes.map((note) => (
          <li key={note}>{note}</li>
        ))}
        {code !== undefined && alike.length > 1 && (
          <li>
            {plural(alike.length, "refusal")} like this{fromWhom(alike)}.{" "}
            <button type="button" class="link" onClick={() => change({ reason: code, show: "errors" })}>
              Show them
            </button>
          </li>
        )}
      </ol>
      <div class="acts">
        {signed && app !== undefined && may("operate") && (
          <a class="button" href={to("explain", { app, ...signed })}>
            <Icon name="key" isSmall /> Explain this signature
          </a>
        )}
      </div>
      {signed && <HowSignaturesWork type={signed.type} />}
    </section>
  );
}

/** Where all of them are one person's. */
function fromWhom(alike: readonly ConsoleEntry[]): string {
  const [first] = alike;
  if (first?.user === undefined || alike.some(({ app, user }) => app !== first.app || user !== first.user)) return "";
  return `, all from ${nameOfUser(first.app, first.user)}`;
}

/** What stands between backticks is a name. */
function withCode(text: string) {
  return text.split("`").map((part, at) => (at % 2 === 1 ? <code key={at}>{part}</code> : part));
}

const SIGNED_TEXTS = {
  channel: ["the socket id, a colon and the whole name of the channel", "`SOCKET_ID:CHANNEL`"],
  user: ["the socket id, `::user::` and the user data", "`SOCKET_ID::user::USER_DATA`"],
  request: ["the method, the path and the sorted parameters, each on a line", "`POST\\n/apps/ID/events\\nauth_key=…`"],
} as const;

function HowSignaturesWork({ type }: { type: Signed["type"] }) {
  const [what, form] = SIGNED_TEXTS[type];
  const carries = type === "request" ? "`auth_signature`" : "`auth`, as `KEY:SIGNATURE`";
  return (
    <details class="how">
      <summary>How signatures work</summary>
      <p>
        {withCode(
          `Your back end joins ${what} (${form}) and signs the text by HMAC SHA256 with the app's secret. The hex digits go into ${carries}. ` +
            "The server makes the same text of what was asked for, so one other character gives another signature. " +
            "The secret never leaves your back end, and clients cannot sign for themselves.",
        )}
      </p>
    </details>
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
