/** The settings: apps and their keys, nodes, limits, the audit log, and how the dashboard looks. */

import type { AppDetail } from "fanfare/wire/admin";
import type { ComponentType } from "preact";
import { useAnswer } from "../parts/answer.ts";
import { Failure, Waiting } from "../parts/notes.tsx";
import { Head } from "../parts/small.tsx";
import { chosenApp, place, to } from "../route.ts";
import { may } from "../session.ts";
import { choose, THEMES, theme } from "../theme.ts";
import { saveApp } from "./app.tsx";
import { Apps } from "./apps.tsx";
import { Audit } from "./audit.tsx";
import { Limits } from "./limits.tsx";
import { Nodes } from "./nodes.tsx";

const TABS: Readonly<Record<string, readonly [string, ComponentType]>> = {
  apps: ["Apps & keys", Apps],
  nodes: ["Nodes", Nodes],
  limits: ["Limits", AllLimits],
  audit: ["Audit log", Audit],
  appearance: ["Appearance", Appearance],
};

export function Settings() {
  const { tab = "" } = place.value.params;
  const chosen = Object.hasOwn(TABS, tab) ? tab : "apps";
  const [, Tab] = TABS[chosen] ?? ["", Apps];
  return (
    <>
      <nav class="segment" aria-label="Settings">
        {Object.entries(TABS)
          .filter(([it]) => it !== "audit" || may("operate"))
          .map(([it, [name]]) => (
            <a key={it} href={to("settings", { tab: it })} aria-current={it === chosen ? "page" : undefined}>
              {name}
            </a>
          ))}
      </nav>
      <Tab key={chosen} />
    </>
  );
}

function AllLimits() {
  const { data, error, reload } = useAnswer<readonly AppDetail[]>("api/apps");
  const apps = data?.filter(({ id }) => chosenApp.value === undefined || id === chosenApp.value);
  return (
    <>
      <Head title="Limits" crumb={<a href={to("settings")}>Settings</a>} lead="Of each app." />
      <Failure error={error} retry={reload} />
      {!data && !error && <Waiting />}
      {apps?.map((app) => (
        <Limits
          key={app.id}
          app={app}
          title={app.name || app.id}
          canEdit={may("admin") && app.source === "database"}
          save={(limits) => saveApp(app.id, { limits }, reload)}
        />
      ))}
    </>
  );
}

function Appearance() {
  return (
    <>
      <Head title="Appearance" crumb={<a href={to("settings")}>Settings</a>} lead="In this browser." />
      <section class="card stack">
        <label class="field narrow-field">
          <span>Theme</span>
          <select
            value={theme.value}
            onChange={({ currentTarget }) => choose(THEMES.find(([it]) => it === currentTarget.value)?.[0] ?? "system")}
          >
            {THEMES.map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </label>
      </section>
    </>
  );
}
