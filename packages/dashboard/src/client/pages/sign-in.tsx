/** The way in: a name and a password, a token, or the key that the server prints. */

import type { Session } from "fanfare/wire/admin";
import { useState } from "preact/hooks";
import { type Refused, refusedBy } from "../api.ts";
import { Icon } from "../parts/icon.tsx";
import { Empty, Failure } from "../parts/notes.tsx";
import { session, signIn } from "../session.ts";

export function SignIn() {
  const { ways = [], server } = session.value ?? {};
  const [chosen, choose] = useState<Way>();
  const way = chosen ?? ways[0];
  return (
    <main class="sign-in">
      <div class="card">
        <h1>
          <Icon name="logo" /> Fanfare
        </h1>
        {server && <p class="soft">{server.name}</p>}
        {ways.length === 0 && (
          <Empty title="No one can sign in yet">
            <p>
              Set <code>dashboard.password</code> or <code>dashboard.users</code>, and restart the server. In
              development it prints an address with a key instead.
            </p>
          </Empty>
        )}
        {ways.length > 1 && (
          <div class="chips" role="tablist" aria-label="How to sign in">
            {ways.map((it) => (
              <button
                key={it}
                type="button"
                role="tab"
                class="chip"
                aria-selected={it === way}
                onClick={() => choose(it)}
              >
                {NAMES[it]}
              </button>
            ))}
          </div>
        )}
        {way && <Form key={way} way={way} />}
      </div>
    </main>
  );
}

type Way = Session["ways"][number];

const NAMES: Readonly<Record<Way, string>> = { password: "Password", token: "Token", key: "Key" };

function howOf(
  way: Way,
  { name, password, token, key }: Readonly<Record<"name" | "password" | "token" | "key", string>>,
) {
  switch (way) {
    case "password":
      return { name, password };
    case "token":
      return { token: token.trim() };
    case "key":
      return { key: /[?&]key=([^&#]*)/.exec(key)?.[1] ?? key.trim() };
  }
}

function Form({ way }: { way: Way }) {
  const [values, put] = useState({ name: "", password: "", token: "", key: "" });
  const [error, setError] = useState<Refused>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await signIn(howOf(way, values));
    } catch (thrown) {
      setError(refusedBy(thrown));
      setBusy(false);
    }
  };
  const field = (name: keyof typeof values) => ({
    name,
    required: true,
    value: values[name],
    onInput: ({ currentTarget }: { currentTarget: HTMLInputElement }) =>
      put({ ...values, [name]: currentTarget.value }),
  });
  return (
    <form class="stack" aria-label="Sign in" onSubmit={submit}>
      {way === "key" && (
        <>
          <p>
            For whoever started the server: its terminal shows, behind <b>Dashboard</b>, an address that ends in{" "}
            <code>?key=…</code>. Open that one, or paste it here. <code>npx fanfare dashboard</code>, in the folder
            where the server was started, prints it again.
          </p>
          <label class="field">
            <span>Key, or the whole address</span>
            <input type="password" autocomplete="off" {...field("key")} />
          </label>
        </>
      )}
      {way === "password" && (
        <>
          <label class="field">
            <span>Name</span>
            <input type="text" autocomplete="username" autocapitalize="none" {...field("name")} />
          </label>
          <label class="field">
            <span>Password</span>
            <input type="password" autocomplete="current-password" {...field("password")} />
          </label>
        </>
      )}
      {way === "token" && (
        <label class="field">
          <span>Token (JWT)</span>
          <input type="password" autocomplete="off" {...field("token")} />
        </label>
      )}
      <Failure error={error} />
      <button type="submit" class="primary" disabled={isBusy}>
        Sign in
      </button>
    </form>
  );
}
