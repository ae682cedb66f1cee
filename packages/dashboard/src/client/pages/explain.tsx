/** The signature explainer: what your back end made beside what it should have made, and which part differs. */

import type { Explanation, Question } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { call, path, type Refused, refusedBy } from "../api.ts";
import { overview, theApp } from "../overview.ts";
import { AppField } from "../parts/app-field.tsx";
import { same } from "../parts/comparison.tsx";
import { Failure } from "../parts/notes.tsx";
import { Copy, Head } from "../parts/small.tsx";
import { place } from "../route.ts";
import { may } from "../session.ts";

type Kind = Question["type"];

const KINDS: Readonly<Record<Kind, string>> = {
  channel: "Channel authorization",
  user: "User sign-in",
  request: "API request",
};

interface FieldSpec {
  readonly label: string;
  readonly hint?: string;
  readonly placeholder?: string;
  readonly isLong?: boolean;
  readonly isNeeded?: boolean;
}

const FIELDS: Readonly<Record<Kind, Readonly<Record<string, FieldSpec>>>> = {
  channel: {
    socketId: { label: "Socket id", placeholder: "123.456", isNeeded: true },
    channel: { label: "Channel", placeholder: "private-orders", isNeeded: true },
    channelData: { label: "channel_data", hint: "presence channels: exactly as it was sent", isLong: true },
    auth: { label: "auth", hint: "what your back end made; without it the right one is made", placeholder: "KEY:HEX" },
  },
  user: {
    socketId: { label: "Socket id", placeholder: "123.456", isNeeded: true },
    userData: {
      label: "user_data",
      hint: "exactly as it was sent",
      placeholder: '{"id":"ada"}',
      isLong: true,
      isNeeded: true,
    },
    auth: { label: "auth", hint: "what your back end made; without it the right one is made", placeholder: "KEY:HEX" },
  },
  request: {
    method: { label: "Method", placeholder: "POST", isNeeded: true },
    path: {
      label: "Path",
      hint: "with its whole query, as it was called",
      placeholder: "/apps/1/events?auth_key=…",
      isLong: true,
      isNeeded: true,
    },
    body: { label: "Body", hint: "byte for byte", isLong: true },
  },
};

/** The address may bring along what was refused, so that nobody has to copy it from the console. */
export function Explain() {
  const { type = "", app: _, ...given } = place.value.params;
  const [chosen, choose] = useState<string>();
  const app = chosen ?? theApp.value ?? overview.value?.apps[0]?.id ?? "";
  const [kind, setKind] = useState<Kind>(isKind(type) ? type : "channel");
  const [answer, put] = useState<Explanation>();
  const [error, setError] = useState<Refused>();
  const ask = async (values: Readonly<Record<string, string>>) => {
    put(undefined);
    setError(undefined);
    try {
      put(await call<Explanation>("POST", path(["apps", app, "explain"]), { type: kind, ...values }));
    } catch (thrown) {
      setError(refusedBy(thrown));
    }
  };
  if (!may("operate")) {
    return (
      <>
        <Head title="Signature debugger" />
        <p class="banner">It takes the role operate to ask.</p>
      </>
    );
  }
  return (
    <>
      <Head title="Signature debugger" lead="Paste what your back end made, and see which part differs." />
      <div class="chips" role="tablist" aria-label="What was signed">
        {(Object.keys(KINDS) as Kind[]).map((it) => (
          <button
            key={it}
            type="button"
            role="tab"
            class="chip"
            aria-selected={it === kind}
            onClick={() => setKind(it)}
          >
            {KINDS[it]}
          </button>
        ))}
      </div>
      <div class="columns">
        <Form key={kind} kind={kind} given={kind === type ? given : {}} ask={ask}>
          <AppField value={app} put={choose} />
        </Form>
        <div>
          <Failure error={error} />
          {answer && <Answer explanation={answer} />}
        </div>
      </div>
    </>
  );
}

function isKind(type: string): type is Kind {
  return Object.hasOwn(KINDS, type);
}

type Values = Readonly<Record<string, string>>;

interface FormProps {
  readonly kind: Kind;
  /** What its fields begin with. */
  readonly given: Values;
  readonly ask: (values: Values) => Promise<void>;
  readonly children: ComponentChildren;
}

function Form({ kind, given, ask, children }: FormProps) {
  const [values, put] = useState<Values>({ ...(kind === "request" && { method: "POST", body: "" }), ...given });
  const submit = (event: Event) => {
    event.preventDefault();
    const filled = Object.keys(FIELDS[kind]).flatMap((name) => {
      const value = values[name] ?? "";
      return value !== "" || FIELDS[kind][name]?.isNeeded || name === "body" ? [[name, value] as const] : [];
    });
    void ask(Object.fromEntries(filled));
  };
  return (
    <form class="card stack" aria-label={KINDS[kind]} onSubmit={submit}>
      {children}
      {Object.entries(FIELDS[kind]).map(([name, { label, hint, placeholder, isLong, isNeeded = false }]) => {
        const shared = {
          id: `of-${name}`,
          value: values[name] ?? "",
          class: "mono",
          spellcheck: false,
          autocomplete: "off" as const,
          required: isNeeded,
          ...(placeholder === undefined ? {} : { placeholder }),
        };
        const write = (value: string) => put({ ...values, [name]: value });
        return (
          <div key={name} class="field">
            <label for={`of-${name}`}>
              {label} {hint && <small>{hint}</small>}
            </label>
            {isLong ? (
              <textarea rows={3} {...shared} onInput={(event) => write(event.currentTarget.value)} />
            ) : (
              <input {...shared} onInput={(event) => write(event.currentTarget.value)} />
            )}
          </div>
        );
      })}
      <div class="actions">
        <button type="submit" class="primary">
          Explain
        </button>
      </div>
    </form>
  );
}

function Answer({ explanation: { text, signature, verdict } }: { explanation: Explanation }) {
  return (
    <section class="card stack" aria-label="Explanation" aria-live="polite">
      {verdict && (
        <p class={verdict.accepted ? "verdict good-text" : "verdict bad-text"}>
          {verdict.accepted ? "It is right: the server accepts it." : "It is refused."} {verdict.refusal}
        </p>
      )}
      {verdict && !verdict.accepted && (
        <ul class="findings">
          {verdict.findings.map(({ part, says }) => (
            <li key={part + says}>
              <strong>{part}</strong> {says}
            </li>
          ))}
        </ul>
      )}
      {verdict?.notes.map((note) => (
        <p key={note} class="soft">
          {note}
        </p>
      ))}
      {verdict?.signedText !== undefined && <Signed title="What was signed" text={verdict.signedText} against={text} />}
      <Signed title="What has to be signed" text={text} against={verdict?.signedText} />
      {signature === undefined ? (
        <p class="soft">The right signature is shown to admins only: with it one can do what the back end can.</p>
      ) : (
        <Signed title="The right signature" text={signature} />
      )}
    </section>
  );
}

/** What differs from the other one is marked. */
function Signed({ title, text, against }: { title: string; text: string; against?: string | undefined }) {
  const [start, end] = same(text, against ?? text);
  const differs = text.slice(start, text.length - end);
  return (
    <div class="payload">
      <div class="payload-head">
        <span>{title}</span>
        <Copy text={text} what={title.toLowerCase()} />
      </div>
      <div class="pre">
        <pre>
          {text.slice(0, start)}
          {differs !== "" && <mark>{differs}</mark>}
          {text.slice(start + differs.length)}
        </pre>
      </div>
    </div>
  );
}
