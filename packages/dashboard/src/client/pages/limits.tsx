/** The limits of an app as a form: a number, or unlimited. */

import type { AppDetail } from "fanfare/wire/admin";
import { useEffect, useState } from "preact/hooks";

type Limit = number | "unlimited";
type LimitMap = Readonly<Record<string, Limit>>;

interface LimitsProps {
  readonly app: AppDetail;
  readonly title?: string;
  readonly canEdit: boolean;
  /** Answers whether it was done. */
  readonly save: (limits: LimitMap) => Promise<boolean>;
}

export function Limits({ app, title = "Limits", canEdit, save }: LimitsProps) {
  const limits = limitsOf(app);
  const [written, write] = useState<Readonly<Record<string, string>>>({});
  useEffect(() => write({}), [app.id]);
  if (Object.keys(limits).length === 0) return null;
  const wrong = Object.entries(written).flatMap(([name, text]) => (limitIn(text) === undefined ? [name] : []));
  const changed = Object.entries(written).filter(([name, text]) => limitIn(text) !== limits[name]);
  const submit = async (event: Event) => {
    event.preventDefault();
    const changes = changed.flatMap(([name, text]) => [[name, limitIn(text) ?? 0] as const]);
    if (await save({ ...Object.fromEntries(changes) })) write({});
  };
  return (
    <form class="card stack" aria-label={title} onSubmit={submit}>
      <h2>
        {title} <small>a number, or “unlimited”</small>
      </h2>
      <div class="limit-fields">
        {Object.entries(limits).map(([name, limit]) => (
          <label key={name} class="field">
            <span>{inWords(name)}</span>
            <input
              inputMode="numeric"
              disabled={!canEdit}
              aria-invalid={wrong.includes(name)}
              value={written[name] ?? String(limit)}
              autocomplete="off"
              onInput={(event) => write({ ...written, [name]: event.currentTarget.value })}
            />
          </label>
        ))}
      </div>
      {canEdit && (
        <div class="actions">
          {wrong.length > 0 && <span class="warn-text">A limit is a whole number from 0, or “unlimited”.</span>}
          <button type="submit" class="primary" disabled={changed.length === 0 || wrong.length > 0}>
            Save limits
          </button>
        </div>
      )}
    </form>
  );
}

function limitsOf({ settings }: AppDetail): LimitMap {
  const limits = settings.limits;
  if (typeof limits !== "object" || limits === null) return {};
  return Object.fromEntries(
    Object.entries(limits).flatMap(([name, value]) =>
      typeof value === "number" || value === "unlimited"
        ? [[name, value] as const]
        : value === null
          ? [[name, "unlimited" as const]]
          : [],
    ),
  );
}

function limitIn(text: string): Limit | undefined {
  const trimmed = text.trim();
  if (trimmed === "unlimited") return "unlimited";
  return /^\d+$/.test(trimmed) ? Number(trimmed) : undefined;
}

/** `eventDataBytes` is read as "event data bytes". */
function inWords(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
