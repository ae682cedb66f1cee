/** One entry of the console, as closely as it can be looked at: why it was refused, what it carried, and what can be done with it. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { authCodeOf, codeOf, LANGUAGES, type Language } from "../code.ts";
import { type ConsoleEntry, isTrouble } from "../feed.ts";
import { nameOfUser } from "../names.ts";
import { appName, nodeName } from "../overview.ts";
import { paramsOf } from "../query.ts";
import { refusedThing } from "../refusals.ts";
import { change, to } from "../route.ts";
import { openSend } from "../send-dialog.tsx";
import { parsed, TYPE_NAMES } from "../show.ts";
import { Act } from "./act.tsx";
import { clientWordsOf } from "./client-words.ts";
import { Icon } from "./icon.tsx";
import { PayloadView } from "./payload.tsx";
import { Person, PersonLink } from "./person.tsx";
import { Copy, Facts, Mark, Since, Time } from "./small.tsx";
import { personIn } from "./who.tsx";
import { Why } from "./why.tsx";

interface InspectorProps {
  readonly entry: ConsoleEntry;
  /** Those here that were refused for the same reason. */
  readonly alike: readonly ConsoleEntry[];
  readonly step: (by: 1 | -1) => void;
  readonly close: () => void;
}

export function Inspector({ entry, alike, step, close }: InspectorProps) {
  const { type, event, code, payload, headers } = entry;
  const title = isTrouble(entry) ? refusedThing(entry) : (event ?? TYPE_NAMES[type]);
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
      {payload && <PayloadView payload={payload} label={payloadLabel(entry)} />}
      {headers && Object.keys(headers).length > 0 && <Headers headers={headers} />}
    </aside>
  );
}

function payloadLabel({ type, connection }: ConsoleEntry): string {
  if (type !== "refused") return "Payload";
  return connection === undefined ? "What the back end sent" : "What the client sent";
}

/** Of the handshake or of the call, those that let nobody in. */
function Headers({ headers }: { headers: Readonly<Record<string, string>> }) {
  return (
    <section aria-label="Headers">
      <h3>Headers</h3>
      <dl class="facts headers">
        {Object.entries(headers).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
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

/** In each language the code for it: what sends the event, or what signs as it had to be signed. Undefined where there is none. */
export function codeFor(entry: ConsoleEntry): ((language: Language) => string) | undefined {
  const sendable = sendableOf(entry) ?? calledFor(entry);
  if (sendable) return (language) => codeOf(sendable, language);
  const { signed } = entry;
  if (signed?.type !== "channel" || signed.channel === undefined || signed.socketId === undefined) return undefined;
  const { channel, socketId } = signed;
  return (language) => authCodeOf({ channel, socketId }, language);
}

/** The event of a call that was refused, where all of it is known. */
function calledFor({ type, connection, payload }: ConsoleEntry) {
  const body = type === "refused" && connection === undefined && payload ? parsed(payload.text)?.value : undefined;
  if (typeof body !== "object" || body === null || !("name" in body) || !("channel" in body)) return undefined;
  const { name: event, channel } = body;
  if (typeof event !== "string" || typeof channel !== "string") return undefined;
  const data = "data" in body ? body.data : "";
  return { channel, event, data: typeof data === "string" ? data : JSON.stringify(data) };
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
  const code = codeFor(entry);
  return (
    <div class="acts">
      {sendable && (
        <Act needs="operate" act={() => openSend({ app: entry.app, ...sendable })}>
          <Icon name="send" isSmall /> Send again
        </Act>
      )}
      {code && (
        <button type="button" aria-expanded={isOpen} onClick={() => open(!isOpen)}>
          <Icon name="code" isSmall /> Copy as code
        </button>
      )}
      <button type="button" class="quiet" onClick={() => onlyLike(entry)}>
        <Icon name="filter" isSmall /> Only like this
      </button>
      <Copy text={location.href} what="link" shown="Link" />
      <Copy text={JSON.stringify(entry, null, 2)} what="entry" shown="Copy" />
      {code && isOpen && <Code codeIn={code} />}
    </div>
  );
}

function Code({ codeIn }: { codeIn: (language: Language) => string }) {
  const [language, choose] = useState<Language>("Node");
  const code = codeIn(language);
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

function UserFact({ app, id }: { app: string | undefined; id: string }) {
  const name = nameOfUser(app, id);
  return (
    <>
      {app ? <PersonLink app={app} id={id} name={name} /> : <Person id={id} name={name} />}{" "}
      {name !== id && <span class="soft">id {id}</span>}
    </>
  );
}

function factsOf(entry: ConsoleEntry): readonly (readonly [string, ComponentChildren])[] {
  const { app, channel, event, connection, address, why, code, node, atMs } = entry;
  const user = personIn(entry);
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
    ["User", user && <UserFact app={app} id={user} />],
    ["Connection", connection && link("connection", { id: connection }, connection)],
    ["Client", clientWordsOf(entry)],
    ["Address", address],
    ["Node", nodeName(node)],
    ["Reason", code && <code>{code}</code>],
    ["Why", isTrouble(entry) ? undefined : why],
  ];
  return rows.filter(([, value]) => value !== undefined && value !== "");
}
