/** The way in: a name and a password, or a token. */

import { useState } from "preact/hooks";
import type { SignIn as How } from "../../../admin/wire.ts";
import { type Refused, refusedBy } from "../api.ts";
import { Logo } from "../parts/logo.tsx";
import { Empty, Failure } from "../parts/notes.tsx";
import { session, signIn } from "../session.ts";

export function SignIn() {
  const { ways = [], server } = session.value ?? {};
  const [chosen, choose] = useState<"password" | "token">();
  const way = chosen ?? ways[0];
  return (
    <main class="sign-in">
      <div class="card">
        <h1>
          <Logo /> Fanfare
        </h1>
        {server && <p class="soft">{server.name}</p>}
        {ways.length === 0 && (
          <Empty title="Nobody can sign in yet">
            <p>
              Set <code>dashboard.password</code> or <code>dashboard.users</code>, and restart the server. On the
              machine itself, in development, nobody has to sign in.
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
                {it === "password" ? "Password" : "Token"}
              </button>
            ))}
          </div>
        )}
        {way && <Form key={way} way={way} />}
      </div>
    </main>
  );
}

function Form({ way }: { way: "password" | "token" }) {
  const [values, put] = useState({ name: "", password: "", token: "" });
  const [error, setError] = useState<Refused>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    const { name, password, token } = values;
    const how: How = way === "password" ? { name, password } : { token: token.trim() };
    try {
      await signIn(how);
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
      {way === "password" ? (
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
      ) : (
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
