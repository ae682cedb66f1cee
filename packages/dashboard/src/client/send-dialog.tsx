/** Sends an event to a channel, from any page: its JSON is looked at before it goes, and what was sent before can be sent again. */

import type { ChannelList, Done } from "fanfare/wire/admin";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { call, path, type Refused, refusedBy } from "./api.ts";
import { type Finding, lookAt } from "./json.ts";
import { overview, theApp } from "./overview.ts";
import { useAnswer } from "./parts/answer.ts";
import { AppField } from "./parts/app-field.tsx";
import { Dialog } from "./parts/dialog.tsx";
import { Empty, Failure, notify } from "./parts/notes.tsx";
import { Time } from "./parts/small.tsx";
import { place } from "./route.ts";
import { type Draft, forget, remember, type Sent, sending, sentBefore } from "./sent.ts";
import { obstacle } from "./session.ts";
import { size } from "./show.ts";

const FIRST: Draft = { channel: "", event: "", data: '{\n  "text": "hello"\n}' };

/** Begins with what one is looking at: a channel, or the channel that the console is filtered by. */
export function openSend(given?: NonNullable<typeof sending.value>): void {
  const { page, params } = place.value;
  const channel = page === "channel" ? params.name : params.channel;
  sending.value = given ?? { ...(channel && !channel.includes("*") && { channel }) };
}

export function SendDialog() {
  const given = sending.value;
  if (!given) return null;
  return (
    <Dialog title="Send event" look="wide" onClose={close}>
      <Send given={given} />
    </Dialog>
  );
}

function close(): void {
  sending.value = undefined;
}

function Send({ given: { app: itsApp, ...given } }: { given: NonNullable<typeof sending.value> }) {
  const [app, setApp] = useState(itsApp ?? theApp.value ?? overview.value?.apps[0]?.id ?? "");
  const [draft, put] = useState<Draft>({ ...FIRST, ...given });
  const [history, setHistory] = useState<readonly Sent[]>([]);
  useEffect(() => setHistory(sentBefore(app)), [app]);
  if (app === "") return <p>There is no app to send to yet: make one in the settings.</p>;
  return (
    <>
      <Form app={app} setApp={setApp} draft={draft} put={put} sent={(it) => setHistory(remember(app, it))} />
      <History
        history={history}
        take={put}
        clear={() => {
          forget(app);
          setHistory([]);
        }}
      />
    </>
  );
}

interface FormProps {
  readonly app: string;
  readonly setApp: (app: string) => void;
  readonly draft: Draft;
  readonly put: (draft: Draft) => void;
  readonly sent: (sent: Sent) => void;
}

function Form({ app, setApp, draft, put, sent }: FormProps) {
  const [error, setError] = useState<Refused>();
  const [isBusy, setBusy] = useState(false);
  const finding = useMemo(() => lookAt(draft.data), [draft.data]);
  const why = obstacle("operate");
  const isReady = why === undefined && draft.channel !== "" && draft.event !== "" && !isBusy;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!isReady) return;
    setBusy(true);
    setError(undefined);
    try {
      await call<Done>("POST", path(["apps", app, "events"]), draft);
      sent({ ...draft, atMs: Date.now() });
      notify(`Sent ${draft.event} to ${draft.channel}.`);
    } catch (thrown) {
      setError(refusedBy(thrown));
    }
    setBusy(false);
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void submit(event);
  };
  return (
    <form aria-label="Event" onSubmit={submit} onKeyDown={keys}>
      <div class="pair">
        <AppField value={app} put={setApp} />
        <ChannelField app={app} value={draft.channel} put={(channel) => put({ ...draft, channel })} />
      </div>
      <label class="field">
        <span>Event</span>
        <input
          required
          maxLength={200}
          value={draft.event}
          placeholder="new-message"
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => put({ ...draft, event: event.currentTarget.value })}
        />
      </label>
      <DataField finding={finding} value={draft.data} put={(data) => put({ ...draft, data })} />
      <Failure error={error} />
      <div class="actions">
        <span class="soft">Goes to all subscribers, as your back end would send it.</span>
        <span class="grow" />
        <button type="button" class="quiet" onClick={close}>
          Close
        </button>
        <button type="submit" class="primary" disabled={!isReady} title={why}>
          {finding.is === "json" || finding.is === "empty" ? "Send" : "Send as text"}
        </button>
      </div>
    </form>
  );
}

function ChannelField({ app, value, put }: { app: string; value: string; put: (value: string) => void }) {
  const { data } = useAnswer<ChannelList>(path(["apps", app, "channels"], { limit: 100 }));
  return (
    <label class="field">
      <span>Channel</span>
      <input
        required
        maxLength={200}
        list="known-channels"
        value={value}
        placeholder="lobby"
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => put(event.currentTarget.value)}
      />
      <datalist id="known-channels">
        {data?.channels.map(({ name }) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </label>
  );
}

function DataField({ finding, value, put }: { finding: Finding; value: string; put: (value: string) => void }) {
  const ref = useRef<HTMLTextAreaElement>(null);
  const isJson = finding.is === "json";
  const show = () => {
    if (finding.is !== "text" || finding.at === undefined) return;
    ref.current?.focus();
    ref.current?.setSelectionRange(finding.at, finding.at + 1);
  };
  return (
    <div class="field">
      <label for="data">Data</label>
      <textarea
        id="data"
        ref={ref}
        rows={6}
        class="mono"
        spellcheck={false}
        value={value}
        aria-describedby="json-check"
        onInput={(event) => put(event.currentTarget.value)}
      />
      <div class="under" id="json-check" role="status">
        <span class={isJson ? "good-text" : finding.is === "text" ? "warn-text" : "soft"}>{finding.says}</span>
        <span class="grow" />
        {finding.is === "text" && finding.at !== undefined && (
          <button type="button" class="quiet" onClick={show}>
            Show
          </button>
        )}
        {isJson && (
          <button type="button" class="quiet" onClick={() => put(finding.pretty)}>
            Format
          </button>
        )}
      </div>
    </div>
  );
}

interface HistoryProps {
  readonly history: readonly Sent[];
  readonly take: (draft: Draft) => void;
  readonly clear: () => void;
}

function History({ history, take, clear }: HistoryProps) {
  return (
    <section aria-labelledby="history">
      <h2 id="history">
        Sent before <small>kept in this browser</small>
        <span class="grow" />
        {history.length > 0 && (
          <button type="button" class="quiet" onClick={clear}>
            Forget
          </button>
        )}
      </h2>
      {history.length === 0 && <Empty title="Nothing yet">What you send is listed here, to be sent again.</Empty>}
      <ul class="history">
        {history.map((it) => (
          <li key={`${it.atMs} ${it.channel}`}>
            <button type="button" onClick={() => take({ channel: it.channel, event: it.event, data: it.data })}>
              <span>
                <strong>{it.event}</strong> <span class="soft">to</span> {it.channel}
              </span>
              <span class="soft mono what">{it.data.slice(0, 120)}</span>
              <span class="soft">
                <Time atMs={it.atMs} isLong /> · {size(new TextEncoder().encode(it.data).length)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
