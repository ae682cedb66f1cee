/** From nothing to the first event: an app's keys, code with them in it, and lights that turn on as it really happens. */

import type { AppSummary, AppWithSecret, FeedEntry } from "fanfare/wire/admin";
import { useState } from "preact/hooks";
import { address } from "../../snippets.ts";
import { call, path } from "../api.ts";
import {
  delivered,
  FAILED_MS,
  PRIVATE_TARGET,
  type Progress,
  PUBLIC_TARGET,
  progressed,
  reasonFor,
  WATCHED,
} from "../connecting.ts";
import { overview, theApp } from "../overview.ts";
import { AppField } from "../parts/app-field.tsx";
import { Icon } from "../parts/icon.tsx";
import { attempt } from "../parts/notes.tsx";
import { Copy, Head, Time, useNow } from "../parts/small.tsx";
import { useWatch } from "../parts/watch.ts";
import { change, place, to } from "../route.ts";
import { may, placeOfApp } from "../session.ts";
import { CodeSteps } from "./connect-code.tsx";
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
  const target = place.value.params.channel === "private" ? PRIVATE_TARGET : PUBLIC_TARGET;
  return (
    <div class="connect">
      <div class="stack">
        <Credentials app={app} isOnlyOne={apps.length === 1} secret={secret} put={putSecret} />
        <CodeSteps app={app} isFirstApp={apps[0]?.id === app.id} secret={secret} target={target} />
      </div>
      <div class="stack first">
        <Lights app={app} target={target} progress={progress} again={() => setProgress({ failed: [] })} />
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
    ["Address", address(placeOfApp(app), "ws")],
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
