/** From nothing to the first event: an app's keys, code with them in it, and lights that turn on as it really happens. */

import type { AppSummary, AppWithSecret, FeedEntry } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import * as code from "../../snippets.ts";
import { call, path } from "../api.ts";
import { delivered, FAILED_MS, type Progress, progressed, reasonFor, TARGET, WATCHED } from "../connecting.ts";
import { overview, theApp } from "../overview.ts";
import { AppField } from "../parts/app-field.tsx";
import { Icon } from "../parts/icon.tsx";
import { attempt } from "../parts/notes.tsx";
import { Copy, Head, Time, useNow } from "../parts/small.tsx";
import { useWatch } from "../parts/watch.ts";
import { change, to } from "../route.ts";
import { may, placeOfApp } from "../session.ts";
import { Lights } from "./connect-lights.tsx";
import { FirstSteps } from "./first-steps.tsx";

export function Connect() {
  const apps = overview.value?.apps;
  const app = apps?.find(({ id }) => id === theApp.value) ?? apps?.find(({ enabled }) => enabled);
  return (
    <>
      <Head title="Connect an app" />
      {apps && !app && <FirstSteps />}
      {app && <ConnectApp key={app.id} app={app} apps={apps ?? []} />}
    </>
  );
}

function ConnectApp({ app, apps }: { app: AppSummary; apps: readonly AppSummary[] }) {
  const [secret, putSecret] = useState<string>();
  const [progress, setProgress] = useState<Progress>({ failed: [] });
  useWatch({ type: "feed", app: app.id, withNobodys: true, types: WATCHED }, "feed", ({ entries }) =>
    setProgress((before) => progressed(before, entries, app.id)),
  );
  useWatch({ type: "channels", app: app.id }, "channels", ({ rates, atMs }) =>
    setProgress((before) => delivered(before, rates, atMs)),
  );
  return (
    <div class="connect">
      <div class="stack">
        <Credentials app={app} isOnlyOne={apps.length === 1} secret={secret} put={putSecret} />
        <Snippets
          number={2}
          title="Connect"
          lead="key and address are filled in"
          snippets={clients(app, apps, secret)}
        />
        <Snippets number={3} title="Publish" lead="the secret comes from your environment" snippets={backEnds(app)}>
          {secret !== undefined && <Code text={`export ${code.SECRET_VARIABLE}=${secret}`} what="secret" />}
        </Snippets>
      </div>
      <div class="stack first">
        <Lights app={app} progress={progress} again={() => setProgress({ failed: [] })} />
        <Failed entries={progress.failed} app={app} apps={apps} />
      </div>
    </div>
  );
}

// ---- 1: credentials

interface CredentialsProps {
  readonly app: AppSummary;
  readonly isOnlyOne: boolean;
  readonly secret: string | undefined;
  readonly put: (secret: string | undefined) => void;
}

function Credentials({ app, isOnlyOne, secret, put }: CredentialsProps) {
  const rows = [
    ["App id", app.id],
    ["Key (public)", app.key],
    ["Address", code.address(placeOfApp(app), "ws")],
  ] as const;
  const reveal = () =>
    attempt(async () => put((await call<AppWithSecret>("POST", path(["apps", app.id, "secret"]))).secret));
  return (
    <section class="card stack" aria-labelledby="credentials">
      <div class="step-head">
        <span class="step-number" aria-hidden="true">
          1
        </span>
        <h2 id="credentials">Credentials</h2>
        {!isOnlyOne && <AppField value={app.id} put={(id) => change({ app: id })} />}
      </div>
      <dl class="credentials">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <code>{value}</code>
              <Copy text={value} what={name} />
            </dd>
          </div>
        ))}
        <div>
          <dt>Secret</dt>
          <dd>
            <code>{secret ?? "••••••••••••"}</code>
            {secret !== undefined && <Copy text={secret} what="secret" />}
            <button
              type="button"
              disabled={!may("admin")}
              title={may("admin") ? "It is noted in the audit log" : "It takes the role admin"}
              onClick={() => (secret === undefined ? void reveal() : put(undefined))}
            >
              {secret === undefined ? "Show secret" : "Hide"}
            </button>
          </dd>
        </div>
      </dl>
    </section>
  );
}

// ---- 2 and 3: code

interface Snippet {
  readonly title: string;
  readonly text: string;
  readonly file: string;
  readonly note?: string;
}

function clients(app: AppSummary, apps: readonly AppSummary[], secret: string | undefined): readonly Snippet[] {
  const place = placeOfApp(app);
  const isFirstApp = apps[0]?.id === app.id;
  return [
    { title: "pusher-js", text: code.pusherClient(place, TARGET), file: "main.js", note: "npm install pusher-js" },
    {
      title: "Laravel Echo",
      text: code.echoClient(place, TARGET),
      file: "resources/js/echo.js",
      note: "npm install laravel-echo pusher-js. The dot in front of the name: it is no class of Laravel's.",
    },
    {
      title: "Laravel",
      text: code.laravelEnvironment(place, secret),
      file: ".env",
      note:
        "composer require pusher/pusher-php-server, then php artisan config:clear. Before Laravel 11 the first line is " +
        "BROADCAST_DRIVER. With the package fanfare/laravel it is BROADCAST_CONNECTION=fanfare. Coming from Reverb: keep " +
        "BROADCAST_CONNECTION=reverb, and set REVERB_HOST, REVERB_PORT, REVERB_SCHEME and the three keys.",
    },
    { title: "Fanfare client", text: code.fanfareClient(place, TARGET, isFirstApp), file: "main.js" },
    { title: "WebSocket", text: code.plainClient(place, TARGET, isFirstApp), file: "main.js" },
  ];
}

function backEnds(app: AppSummary): readonly Snippet[] {
  const place = placeOfApp(app);
  return [
    { title: "Node", text: code.nodePublish(place, TARGET), file: "publish.mjs", note: "npm install pusher" },
    { title: "Laravel", text: code.laravelPublish(TARGET), file: "a shell, in Laravel's folder" },
    { title: "PHP", text: code.phpPublish(place, TARGET), file: "publish.php" },
    { title: "Python", text: code.pythonPublish(place, TARGET), file: "publish.py" },
    { title: "Go", text: code.goPublish(place, TARGET), file: "main.go" },
    { title: "curl", text: code.curlPublish(place, TARGET), file: "a shell" },
    { title: "Fanfare publisher", text: code.publisherPublish(place, TARGET), file: "publish.mjs" },
  ];
}

interface SnippetsProps {
  readonly number: number;
  readonly title: string;
  readonly lead: string;
  readonly snippets: readonly Snippet[];
  readonly children?: ComponentChildren;
}

function Snippets({ number, title, lead, snippets, children }: SnippetsProps) {
  const [chosen, choose] = useState(0);
  const snippet = snippets[chosen];
  const id = `snippet-${number}`;
  const move = (event: KeyboardEvent) => {
    const next = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1, Home: 0, End: -1 }[event.key];
    if (next === undefined) return;
    const index = (next + snippets.length) % snippets.length;
    choose(index);
    const tabs = (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[role=tab]");
    tabs[index]?.focus();
  };
  return (
    <section class="card stack" aria-labelledby={`${id}-title`}>
      <div class="step-head">
        <span class="step-number" aria-hidden="true">
          {number}
        </span>
        <h2 id={`${id}-title`}>{title}</h2>
        <span class="soft">{lead}</span>
      </div>
      <div class="snippet-tabs" role="tablist" aria-label={title} onKeyDown={move}>
        {snippets.map((it, index) => (
          <button
            key={it.title}
            type="button"
            role="tab"
            aria-selected={index === chosen}
            aria-controls={id}
            tabIndex={index === chosen ? 0 : -1}
            onClick={() => choose(index)}
          >
            {it.title}
          </button>
        ))}
      </div>
      {snippet && (
        <div id={id} role="tabpanel" class="stack" aria-label={snippet.title}>
          {children}
          <p class="snippet-file">
            <Icon name="code" isSmall />
            {snippet.file}
          </p>
          <Code text={snippet.text} what="code" />
          {snippet.note && <p class="soft">{snippet.note}</p>}
        </div>
      )}
    </section>
  );
}

function Code({ text, what }: { text: string; what: string }) {
  return (
    <div class="snippet">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it is scrolled with the arrow keys */}
      <pre tabIndex={0}>{text}</pre>
      <Copy text={text} what={what} />
    </div>
  );
}

// ---- what went wrong

interface FailedProps {
  readonly entries: readonly FeedEntry[];
  readonly app: AppSummary;
  readonly apps: readonly AppSummary[];
}

function Failed({ entries, app, apps }: FailedProps) {
  const nowMs = useNow(10_000);
  const lately = entries.filter(({ atMs }) => nowMs - atMs < FAILED_MS);
  if (lately.length === 0) return null;
  return (
    <section class="card stack" aria-labelledby="failed">
      <h2 id="failed">
        Attempts that failed <span class="soft">last 10 min</span>
      </h2>
      <ul class="failed-attempts">
        {lately.map((entry) => {
          const { title, advice } = reasonFor(entry, app, apps);
          return (
            <li key={entry.id}>
              <Icon name="warn" />
              <div>
                <b>{title}</b> <Time atMs={entry.atMs} />
                <p>
                  {advice}
                  {entry.address && <span class="soft"> From {entry.address}.</span>}{" "}
                  {entry.signed && may("operate") && (
                    <a href={to("explain", { app: app.id, ...entry.signed })}>Explain this signature</a>
                  )}
                </p>
              </div>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
