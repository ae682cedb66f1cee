/** The apps of the server: who there is, and making another. */

import type { AppChange, AppDetail, AppWithSecret } from "fanfare/wire/admin";
import { useState } from "preact/hooks";
import { call, type Refused, refusedBy } from "../api.ts";
import { has } from "../overview.ts";
import { Act } from "../parts/act.tsx";
import { useAnswer } from "../parts/answer.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Empty, Failure, Waiting } from "../parts/notes.tsx";
import { Copy, Head, Mark } from "../parts/small.tsx";
import { to } from "../route.ts";
import { count } from "../show.ts";

const EVERY_MS = 5_000;

export const SOURCES = { config: "configuration file", database: "database" } as const;

export function Apps() {
  const { data, error, reload } = useAnswer<readonly AppDetail[]>("api/apps", EVERY_MS);
  const [isCreating, setCreating] = useState(false);
  const [made, setMade] = useState<AppWithSecret>();
  return (
    <>
      <Head
        title="Apps"
        crumb={<a href={to("settings")}>Settings</a>}
        lead={data && `${count(data.length)} on this server`}
      >
        {has("apps") && (
          <Act needs="admin" look="primary" act={() => setCreating(true)}>
            New app
          </Act>
        )}
      </Head>
      {!has("apps") && (
        <p class="banner">
          Apps are written in the configuration here. With a database (setting <code>database.url</code>) they can be
          made and changed on this page, without a restart.
        </p>
      )}
      <Failure error={error} retry={reload} />
      {!data && !error && <Waiting />}
      {data?.length === 0 && (
        <Empty title="There is no app yet">
          Clients and back ends need one: make it here, or write it in the configuration.
        </Empty>
      )}
      {data && data.length > 0 && <AppTable apps={data} />}
      {isCreating && (
        <Create
          onClose={() => setCreating(false)}
          made={(answer) => {
            setCreating(false);
            setMade(answer);
            reload();
          }}
        />
      )}
      {made && <SecretOnce made={made} onClose={() => setMade(undefined)} />}
    </>
  );
}

function AppTable({ apps }: { apps: readonly AppDetail[] }) {
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th scope="col">App</th>
            <th scope="col">State</th>
            <th scope="col" class="wide">
              Key
            </th>
            <th scope="col" class="number">
              Connections
            </th>
            <th scope="col" class="wide">
              Source
            </th>
          </tr>
        </thead>
        <tbody>
          {apps.map((app) => (
            <tr key={app.id}>
              <th scope="row">
                <a href={to("app", { app: app.id })}>{app.name || app.id}</a>{" "}
                {app.name && app.name !== app.id && <span class="soft">{app.id}</span>}
              </th>
              <td>
                <Mark tone={app.enabled ? "good" : "bad"}>{app.enabled ? "on" : "off"}</Mark>
              </td>
              <td class="wide mono">{app.key}</td>
              <td class="number">{count(app.connections)}</td>
              <td class="wide">{SOURCES[app.source]}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Create({ onClose, made }: { onClose: () => void; made: (answer: AppWithSecret) => void }) {
  const [wanted, want] = useState({ name: "", id: "", key: "", clientEvents: false });
  const [error, setError] = useState<Refused>();
  const submit = async (event: Event) => {
    event.preventDefault();
    const { name, id, key, clientEvents } = wanted;
    const change: AppChange = { ...(name && { name }), ...(id && { id }), ...(key && { key }), clientEvents };
    try {
      made(await call<AppWithSecret>("POST", "api/apps", change));
    } catch (thrown) {
      setError(refusedBy(thrown));
    }
  };
  const field = (name: "name" | "id" | "key", label: string, hint: string) => (
    <label class="field">
      <span>
        {label} <small>{hint}</small>
      </span>
      <input
        value={wanted[name]}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => want({ ...wanted, [name]: event.currentTarget.value })}
      />
    </label>
  );
  return (
    <Dialog title="New app" onClose={onClose}>
      <form class="stack" onSubmit={submit}>
        {field("name", "Name", "for people")}
        {field("id", "Id", "generated if empty")}
        {field("key", "Key", "generated if empty; public")}
        <label class="check">
          <input
            type="checkbox"
            checked={wanted.clientEvents}
            onChange={(event) => want({ ...wanted, clientEvents: event.currentTarget.checked })}
          />
          Clients may send events to each other
        </label>
        <Failure error={error} />
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Create
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Nothing on this page keeps it. */
export function SecretOnce({ made: { app, secret }, onClose }: { made: AppWithSecret; onClose: () => void }) {
  const rows = [
    ["App id", app.id],
    ["Key", app.key],
    ["Secret", secret],
  ] as const;
  return (
    <Dialog title={`The secret of ${app.name || app.id}`} onClose={onClose}>
      <div class="prose">
        <p>Put it where your back end finds it; whoever has it can send and sign for this app.</p>
      </div>
      <dl class="secret">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <code>{value}</code>
              <Copy text={value} what={name.toLowerCase()} />
            </dd>
          </div>
        ))}
      </dl>
      <div class="actions">
        <button type="button" class="primary" onClick={onClose}>
          Done
        </button>
      </div>
    </Dialog>
  );
}
