/** The event creator: an event to a channel, with its JSON looked at before it goes, and what was sent before. */

import type { ChannelList, Done } from "fanfare/wire/admin";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { call, path, type Refused, refusedBy } from "../api.ts";
import { type Finding, lookAt } from "../json.ts";
import { useAnswer } from "../parts/answer.ts";
import { Empty, Failure, notify } from "../parts/notes.tsx";
import { Head, Time } from "../parts/small.tsx";
import { place } from "../route.ts";
import { type Draft, forget, remember, type Sent, sentBefore, takeDraft } from "../sent.ts";
import { may } from "../session.ts";
import { size } from "../show.ts";

const FIRST: Draft = { channel: "", event: "", data: '{\n  "text": "hello"\n}' };

export function Send({ app }: { app: string }) {
  const [draft, put] = useState<Draft>(() => ({ ...FIRST, channel: place.value.params.channel ?? "", ...takeDraft() }));
  const [history, setHistory] = useState<readonly Sent[]>([]);
  useEffect(() => setHistory(sentBefore(app)), [app]);
  return (
    <>
      <Head title="Send an event" lead="To all subscribers of a channel, as your back end would." />
      {!may("operate") && <p class="banner">Your role lets you look, not send. It takes the role operate.</p>}
      <div class="columns">
        <Form app={app} draft={draft} put={put} sent={(it) => setHistory(remember(app, it))} />
        <History
          history={history}
          take={put}
          clear={() => {
            forget(app);
            setHistory([]);
          }}
        />
      </div>
    </>
  );
}

interface FormProps {
  readonly app: string;
  readonly draft: Draft;
  readonly put: (draft: Draft) => void;
  readonly sent: (sent: Sent) => void;
}

function Form({ app, draft, put, sent }: FormProps) {
  const [error, setError] = useState<Refused>();
  const [isBusy, setBusy] = useState(false);
  const finding = useMemo(() => lookAt(draft.data), [draft.data]);
  const isReady = may("operate") && draft.channel !== "" && draft.event !== "" && !isBusy;
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
    <form class="card stack" aria-label="Event" onSubmit={submit} onKeyDown={keys}>
      <ChannelField app={app} value={draft.channel} put={(channel) => put({ ...draft, channel })} />
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
        <span class="soft">Ctrl + Enter sends</span>
        <button type="submit" class="primary" disabled={!isReady}>
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
        data-search=""
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
        rows={10}
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
    <section class="card" aria-labelledby="history">
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
