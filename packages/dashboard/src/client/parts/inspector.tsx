/** One entry of the console, as closely as it can be looked at: why it was refused, what it carried, and what can be done with it. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { codeOf, LANGUAGES, type Language } from "../code.ts";
import { type ConsoleEntry, isTrouble } from "../feed.ts";
import { nameOfUser } from "../names.ts";
import { appName, nodeName } from "../overview.ts";
import { paramsOf } from "../query.ts";
import { titleOf } from "../refusals.ts";
import { change, to } from "../route.ts";
import { openSend } from "../send-dialog.tsx";
import { TYPE_NAMES } from "../show.ts";
import { Act } from "./act.tsx";
import { Icon } from "./icon.tsx";
import { PayloadView } from "./payload.tsx";
import { Person, PersonLink } from "./person.tsx";
import { Copy, Facts, Mark, Since, Time } from "./small.tsx";
import { Why } from "./why.tsx";

interface InspectorProps {
  readonly entry: ConsoleEntry;
  /** How many of those here were refused for the same reason. */
  readonly alike: number;
  readonly step: (by: 1 | -1) => void;
  readonly close: () => void;
}

export function Inspector({ entry, alike, step, close }: InspectorProps) {
  const { type, event, code, payload } = entry;
  const title = isTrouble(entry) ? titleOf(entry) : (event ?? TYPE_NAMES[type]);
  return (
    <aside class="inspector" aria-label="Inspector">
      <div class="inspector-head">
        <h2 class="what">{title}</h2>
        <Mark tone={isTrouble(entry) ? "bad" : "plain"}>{code ?? TYPE_NAMES[type]}</Mark>
        <span class="grow" />
        <IconButton icon="dn" label="Next" press={() => step(1)} />
        <IconButton icon="up" label="Previous" press={() => step(-1)} />
        <IconButton icon="x" label="Close inspector" press={close} />
      </div>
      {isTrouble(entry) && <Why entry={entry} alike={alike} />}
      <Acts entry={entry} />
      <Facts rows={factsOf(entry)} />
      {payload && <PayloadView payload={payload} />}
    </aside>
  );
}

function IconButton({ icon, label, press }: { icon: "dn" | "up" | "x"; label: string; press: () => void }) {
  return (
    <button type="button" class="quiet" aria-label={label} title={label} onClick={press}>
      <Icon name={icon} isSmall />
    </button>
  );
}

/** The code that sends it once more, where it is something that a back end sends. */
export function sendableOf({ channel, event, payload, type }: ConsoleEntry) {
  if ((type !== "client_event" && type !== "api_message") || channel === undefined || event === undefined) return;
  return { channel, event, data: payload?.text ?? "" };
}

/** Shows only what is like it: of the same channel and event, for the same reason, or of the same connection. */
export function onlyLike({ app, channel, event, code, connection }: ConsoleEntry): void {
  const names = [
    ["channel", channel],
    ["event", event],
    ["reason", code],
    ...(channel === undefined && code === undefined ? ([["connection", connection]] as const) : []),
    ["app", app],
  ] as const;
  const chips = names.flatMap(([field, value]) => (value === undefined ? [] : [{ field, value }]));
  change({ ...paramsOf(chips), show: "", row: "" });
}

function Acts({ entry }: { entry: ConsoleEntry }) {
  const [isOpen, open] = useState(false);
  const sendable = sendableOf(entry);
  return (
    <div class="acts">
      {sendable && (
        <Act needs="operate" act={() => openSend({ app: entry.app, ...sendable })}>
          Send again
        </Act>
      )}
      {sendable && (
        <button type="button" aria-expanded={isOpen} onClick={() => open(!isOpen)}>
          <Icon name="code" isSmall /> Copy as code
        </button>
      )}
      <button type="button" class="quiet" onClick={() => onlyLike(entry)}>
        <Icon name="filter" isSmall /> Only like this
      </button>
      <Copy text={location.href} what="link" shown="Link" />
      <Copy text={JSON.stringify(entry, null, 2)} what="entry" shown="Copy" />
      {sendable && isOpen && <Code sendable={sendable} />}
    </div>
  );
}

function Code({ sendable }: { sendable: NonNullable<ReturnType<typeof sendableOf>> }) {
  const [language, choose] = useState<Language>("Node");
  const code = codeOf(sendable, language);
  return (
    <div class="code-box">
      <fieldset class="segment" aria-label="Language">
        {LANGUAGES.map((it) => (
          <button key={it} type="button" aria-pressed={it === language} onClick={() => choose(it)}>
            {it}
          </button>
        ))}
      </fieldset>
      <div class="snippet">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
        <pre tabIndex={0}>{code}</pre>
        <Copy text={code} what="code" />
      </div>
    </div>
  );
}

function factsOf(entry: ConsoleEntry): readonly (readonly [string, ComponentChildren])[] {
  const { app, channel, event, connection, user, address, why, code, node, atMs } = entry;
  const time = (
    <>
      <Time atMs={atMs} />{" "}
      <span class="soft">
        <Since atMs={atMs} /> ago
      </span>
    </>
  );
  const link = (page: string, params: Readonly<Record<string, string | undefined>>, text: string) => (
    <a href={to(page, { app, ...params })}>{text}</a>
  );
  const rows: readonly (readonly [string, ComponentChildren])[] = [
    ["Time", time],
    ["App", app && link("app", {}, appName(app))],
    ["Channel", channel && link("channel", { name: channel }, channel)],
    ["Event", event && <code>{event}</code>],
    ["User", user && (app ? <PersonLink app={app} id={user} name={nameOfUser(app, user)} /> : <Person id={user} />)],
    ["Connection", connection && link("connection", { id: connection }, connection)],
    ["Address", address],
    ["Node", nodeName(node)],
    ["Reason", code && <code>{code}</code>],
    ["Why", isTrouble(entry) ? undefined : why],
  ];
  return rows.filter(([, value]) => value !== undefined && value !== "");
}
