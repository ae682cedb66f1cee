/** What there is to say when there is nothing to show: empty, waiting, gone wrong; and short notices of what was done. */

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Refused, refusedBy } from "../api.ts";
import { plural } from "../show.ts";

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children && <div class="empty-more">{children}</div>}
    </div>
  );
}

const NOTICED_MS = 150;

/** Nothing at first, for most answers come before anybody waits; then rows of the height of what comes. */
export function Waiting({ what = "Loading", rows = 6 }: { what?: string; rows?: number }) {
  const [isNoticed, notice] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => notice(true), NOTICED_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="waiting" role="status">
      <span class="unseen">{what}…</span>
      {isNoticed && Array.from({ length: rows }, (_, at) => <span key={at} class="skeleton" aria-hidden="true" />)}
    </div>
  );
}

/** Some of what is asked of every node is not there. */
export function NodesMissing({ count: missing = 0 }: { count: number | undefined }) {
  if (missing === 0) return null;
  return (
    <p class="sampling" role="status">
      {plural(missing, "node")} did not answer: what {missing === 1 ? "it has" : "they have"} is not shown.
    </p>
  );
}

/** `retry` is offered where it may help. */
export function Failure({ error, retry }: { error: Refused | undefined; retry?: (() => void) | undefined }) {
  if (!error) return null;
  return (
    <div class="failure" role="alert">
      <p>
        {error.message} {adviceFor(error)}
      </p>
      {retry && error.code !== "not_available" && (
        <button type="button" onClick={retry}>
          Retry
        </button>
      )}
    </div>
  );
}

function adviceFor({ code, retryAfterS }: Refused): string {
  if (code === "too_many_attempts" && retryAfterS) return `Try again in ${retryAfterS} s.`;
  if (code === "role_too_small") return "Ask a user with a larger role.";
  return "";
}

interface Notice {
  readonly id: number;
  readonly text: string;
  readonly isBad: boolean;
}

const STAYS_MS = 5_000;
const MOST = 4;

const notices = signal<readonly Notice[]>([]);
let lastId = 0;

export function notify(text: string, isBad = false): void {
  const id = ++lastId;
  notices.value = [...notices.value, { id, text, isBad }].slice(-MOST);
  setTimeout(() => dismiss(id), isBad ? STAYS_MS * 2 : STAYS_MS);
}

/** Does it and says so, or says why it could not be done. Answers whether it was done. */
export async function attempt(act: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await act();
    if (done !== undefined) notify(done);
    return true;
  } catch (error) {
    notify(refusedBy(error).message, true);
    return false;
  }
}

function dismiss(id: number): void {
  notices.value = notices.value.filter((it) => it.id !== id);
}

export function Notices() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map(({ id, text, isBad }) => (
        <p key={id} class={isBad ? "notice bad" : "notice"}>
          <span>{text}</span>
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => dismiss(id)}>
            ×
          </button>
        </p>
      ))}
    </div>
  );
}
