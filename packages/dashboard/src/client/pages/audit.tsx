/** The audit log: who did what through the dashboard or the command line. */

import type { AuditEntry } from "fanfare/wire/admin";
import { useEffect, useState } from "preact/hooks";
import { call, path, refusedBy } from "../api.ts";
import { has } from "../overview.ts";
import { useAnswer } from "../parts/answer.ts";
import { Empty, Failure, notify, Waiting } from "../parts/notes.tsx";
import { Head, Time } from "../parts/small.tsx";
import { to } from "../route.ts";

const PAGE = 100;

export function Audit() {
  const { data, error, reload } = useAnswer<readonly AuditEntry[]>(path(["audit"], { limit: PAGE }), 10_000);
  const [older, put] = useState<readonly AuditEntry[]>([]);
  const [isAtEnd, setAtEnd] = useState(false);
  useEffect(() => {
    if (data && data.length < PAGE) setAtEnd(true);
  }, [data]);
  const newest = data ?? [];
  const lastId = newest.at(-1)?.id ?? Number.POSITIVE_INFINITY;
  const entries = [...newest, ...older.filter(({ id }) => id < lastId)];
  const more = async () => {
    try {
      const page = await call<readonly AuditEntry[]>(
        "GET",
        path(["audit"], { limit: PAGE, before: entries.at(-1)?.id }),
      );
      put([...older, ...page]);
      setAtEnd(page.length < PAGE);
    } catch (thrown) {
      notify(refusedBy(thrown).message, true);
    }
  };
  return (
    <>
      <Head
        title="Audit log"
        crumb={<a href={to("settings")}>Settings</a>}
        lead={has("audit") ? "Who did what, newest first." : "Of this process only: without a database it is not kept."}
      />
      <Failure error={error} retry={reload} />
      {!data && !error && <Waiting />}
      {data?.length === 0 && (
        <Empty title="Nothing has been done yet">
          Whatever changes something is written down here: sign-ins, events, apps, disconnections.
        </Empty>
      )}
      {entries.length > 0 && <Entries entries={entries} />}
      {entries.length > 0 && !isAtEnd && (
        <p class="more">
          <button type="button" onClick={more}>
            Older
          </button>
        </p>
      )}
    </>
  );
}

function Entries({ entries }: { entries: readonly AuditEntry[] }) {
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Who</th>
            <th scope="col">What</th>
            <th scope="col">Detail</th>
          </tr>
        </thead>
        <tbody>
          {entries.map(({ id, atMs, who, what, detail }) => (
            <tr key={id}>
              <td>
                <Time atMs={atMs} isLong />
              </td>
              <th scope="row">{who}</th>
              <td>
                <code>{what}</code>
              </td>
              <td class="detail">
                {Object.entries(detail).map(([name, value]) => (
                  <span key={name}>
                    <span class="soft">{name}</span> {typeof value === "string" ? value : JSON.stringify(value)}{" "}
                  </span>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
