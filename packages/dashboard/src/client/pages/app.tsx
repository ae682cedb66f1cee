/** One app: its settings, its limits, its secrets, and its end. */

import type { AppChange, AppDetail, AppWithSecret } from "fanfare/wire/admin";
import { useState } from "preact/hooks";
import { call, path } from "../api.ts";
import { Act } from "../parts/act.tsx";
import { useAnswer } from "../parts/answer.ts";
import { Ask } from "../parts/dialog.tsx";
import { attempt, Empty, Failure, notify, Waiting } from "../parts/notes.tsx";
import { PayloadView } from "../parts/payload.tsx";
import { Copy, Facts, Head, Mark } from "../parts/small.tsx";
import { go, to } from "../route.ts";
import { may } from "../session.ts";
import { count, plural } from "../show.ts";
import { SecretOnce, SOURCES } from "./apps.tsx";
import { Limits } from "./limits.tsx";

type Asked = "rotate" | "retire" | "disable" | "delete";

export function AppPage({ app: id }: { app: string }) {
  const { data: app, error, reload } = useAnswer<AppDetail>(path(["apps", id]));
  const [asked, ask] = useState<Asked>();
  const [made, setMade] = useState<AppWithSecret>();
  const canEdit = may("admin") && app?.source === "database";
  if (error?.code === "not_found") {
    return <Empty title="There is no such app">It may have been deleted. Choose another one above.</Empty>;
  }
  const enable = async () => {
    await attempt(() => change(id, { enabled: true }), "The app is on again.");
    reload();
  };
  return (
    <>
      <Head title={app?.name || id} crumb={<a href={to("settings", { tab: "apps" })}>Apps</a>}>
        {app?.source === "database" && <Actions app={app} ask={ask} enable={enable} />}
      </Head>
      <Failure error={error} retry={reload} />
      {!app && !error && <Waiting />}
      {app && <AppFacts app={app} />}
      {app && !canEdit && <WhyNot app={app} />}
      {app && <Switches app={app} canEdit={canEdit} reload={reload} />}
      {app && <Limits app={app} canEdit={canEdit} save={(limits) => saveApp(id, { limits }, reload)} />}
      {app && (
        <section class="card">
          <PayloadView payload={asPayload(app.settings)} label="All settings" />
        </section>
      )}
      {app && asked && <Asking asked={asked} app={app} close={() => ask(undefined)} made={setMade} reload={reload} />}
      {made && <SecretOnce made={made} onClose={() => setMade(undefined)} />}
    </>
  );
}

interface ActionsProps {
  readonly app: AppDetail;
  readonly ask: (what: Asked) => void;
  readonly enable: () => void;
}

function Actions({ app, ask, enable }: ActionsProps) {
  return (
    <>
      {!app.enabled && (
        <Act needs="admin" act={enable}>
          Enable
        </Act>
      )}
      <Act needs="admin" act={() => ask("rotate")}>
        Rotate secret
      </Act>
      {app.secrets > 1 && (
        <Act needs="admin" act={() => ask("retire")}>
          Forget old secrets
        </Act>
      )}
      {app.enabled && (
        <Act needs="admin" look="danger" act={() => ask("disable")}>
          Disable
        </Act>
      )}
      <Act needs="admin" look="danger" act={() => ask("delete")}>
        Delete
      </Act>
    </>
  );
}

function AppFacts({ app }: { app: AppDetail }) {
  const rows = [
    [
      "Id",
      <span key="id" class="with-copy">
        <code>{app.id}</code>
        <Copy text={app.id} what="id" />
      </span>,
    ],
    [
      "Key",
      <span key="key" class="with-copy">
        <code>{app.key}</code>
        <Copy text={app.key} what="key" />
      </span>,
    ],
    ["Secrets", plural(app.secrets, "secret")],
    [
      "State",
      <Mark key="state" tone={app.enabled ? "good" : "bad"}>
        {app.enabled ? "on" : "off"}
      </Mark>,
    ],
    ["Connections", count(app.connections)],
    ["Source", SOURCES[app.source]],
  ] as const;
  return <Facts rows={rows} />;
}

function WhyNot({ app }: { app: AppDetail }) {
  return (
    <p class="banner">
      {app.source === "config"
        ? "This app is written in the server's configuration: change it there, and reload the server."
        : "Your role lets you look. It takes the role admin to change an app."}
    </p>
  );
}

const SWITCHES = [
  ["clientEvents", "Clients may send events to each other"],
  ["subscriptionCounts", "Subscribers are notified of their number"],
] as const;

function Switches({ app, canEdit, reload }: { app: AppDetail; canEdit: boolean; reload: () => void }) {
  const [name, setName] = useState(app.name);
  const rename = (event: Event) => {
    event.preventDefault();
    void saveApp(app.id, { name: name === "" ? null : name }, reload);
  };
  return (
    <section class="card stack" aria-labelledby="settings">
      <h2 id="settings">Settings</h2>
      <form class="field-row" onSubmit={rename}>
        <label class="field">
          <span>Name</span>
          <input
            value={name}
            disabled={!canEdit}
            autocomplete="off"
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <button type="submit" disabled={!canEdit || name === app.name}>
          Rename
        </button>
      </form>
      {SWITCHES.map(([setting, label]) => (
        <label key={setting} class="check">
          <input
            type="checkbox"
            disabled={!canEdit}
            checked={app.settings[setting] === true}
            onChange={(event) => void saveApp(app.id, { [setting]: event.currentTarget.checked }, reload)}
          />
          {label}
        </label>
      ))}
    </section>
  );
}

interface AskingProps {
  readonly asked: Asked;
  readonly app: AppDetail;
  readonly close: () => void;
  readonly made: (made: AppWithSecret) => void;
  readonly reload: () => void;
}

function Asking({ asked, app, close, made, reload }: AskingProps) {
  const name = app.name || app.id;
  const rotate = async (forget: boolean) => {
    made(await call<AppWithSecret>("POST", path(["apps", app.id, "rotate"]), { forget }));
    reload();
  };
  if (asked === "rotate") {
    return (
      <Ask title={`Rotate the secret of ${name}?`} verb="Rotate" onClose={close} act={() => rotate(false)}>
        <p>A new secret is made and shown. The old one goes on being accepted, until you have it forgotten.</p>
      </Ask>
    );
  }
  if (asked === "retire") {
    return (
      <Ask
        title={`Forget the old secrets of ${name}?`}
        verb="Forget"
        isDangerous
        onClose={close}
        act={() => rotate(true)}
      >
        <p>
          A new secret is made and shown, and no other is accepted any more: back ends that use one are refused at once.
        </p>
      </Ask>
    );
  }
  if (asked === "disable") {
    const disable = async () => {
      await change(app.id, { enabled: false });
      reload();
    };
    return (
      <Ask title={`Disable ${name}?`} verb="Disable" isDangerous onClose={close} act={disable}>
        <p>
          Everybody of this app is disconnected, and nobody is let in until it is enabled again. Its settings are kept.
        </p>
      </Ask>
    );
  }
  const remove = async () => {
    await call("DELETE", path(["apps", app.id]));
    notify(`${name} is deleted.`);
    go(to("settings", { tab: "apps", app: "" }));
  };
  return (
    <Ask title={`Delete ${name}?`} verb="Delete" isDangerous typed={app.id} onClose={close} act={remove}>
      <p>Everybody of this app is disconnected, and its key and secrets are gone for good. This cannot be undone.</p>
    </Ask>
  );
}

function change(id: string, what: AppChange): Promise<AppDetail> {
  return call<AppDetail>("PATCH", path(["apps", id]), what);
}

export async function saveApp(id: string, what: AppChange, reload: () => void): Promise<boolean> {
  const isDone = await attempt(() => change(id, what), "Saved.");
  reload();
  return isDone;
}

function asPayload(value: unknown): { text: string; bytes: number } {
  const text = JSON.stringify(value);
  return { text, bytes: new TextEncoder().encode(text).length };
}
