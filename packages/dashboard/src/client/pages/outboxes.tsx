/** Rows of applications' outboxes that could not be published: why, and trying them again. */

import type { FailedRow, OutboxEntry, Replayed } from "fanfare/wire/admin";
import { call, path } from "../api.ts";
import { Act } from "../parts/act.tsx";
import { useAnswer } from "../parts/answer.ts";
import { attempt, Empty, Failure, notify } from "../parts/notes.tsx";
import { Time } from "../parts/small.tsx";
import { count, plural } from "../show.ts";

/** Each time is a question to the application's own database. */
const EVERY_MS = 10_000;

export function Outboxes() {
  const { data, error, reload } = useAnswer<readonly OutboxEntry[]>("api/outboxes", EVERY_MS);
  const retry = async (outbox: string, ids?: readonly number[]) => {
    await attempt(async () => {
      const where = path(["outboxes", outbox, "retry"]);
      const { count: waiting } = await call<Replayed>("POST", where, ids ? { ids } : {});
      notify(`${plural(waiting, "row")} will be published again.`);
    });
    reload();
  };
  return (
    <>
      <Failure error={error} retry={reload} />
      {data?.map((outbox) => (
        <Outbox key={outbox.name} outbox={outbox} retry={(ids) => void retry(outbox.name, ids)} />
      ))}
    </>
  );
}

interface OutboxProps {
  readonly outbox: OutboxEntry;
  readonly retry: (ids?: readonly number[]) => void;
}

function Outbox({ outbox: { name, place, failed }, retry }: OutboxProps) {
  return (
    <section class="stack" aria-label={`Outbox ${name}`}>
      <h2>
        Outbox <span class="mono">{name}</span> {failed && <small>{count(failed.length)}</small>}
        <span class="grow" />
        {failed !== undefined && failed.length > 0 && (
          <Act needs="operate" look="primary" act={() => retry()}>
            Retry all
          </Act>
        )}
      </h2>
      {failed?.length === 0 && (
        <Empty title="No row failed">What cannot be published is set aside in the table, with the reason.</Empty>
      )}
      {!failed && <Empty title="The database cannot be asked now">{place} does not answer; the log says why.</Empty>}
      <ul class="failed-rows">
        {failed?.map((row) => (
          <Row key={row.id} row={row} retry={() => retry([row.id])} />
        ))}
      </ul>
    </section>
  );
}

function Row({ row, retry }: { row: FailedRow; retry: () => void }) {
  const { id, app, channel, userId, event, failedAt, error } = row;
  return (
    <li class="card">
      <div class="row-with-act">
        <div>
          <p class="breakable">
            <strong>{event}</strong> {channel === null ? `for user ${userId}` : `in ${channel}`}
          </p>
          <p class="soft">
            row {id}
            {app !== null && ` · ${app}`} · <Time atMs={Date.parse(failedAt)} isLong />
          </p>
          <p class="bad-text breakable">{error}</p>
        </div>
        <Act needs="operate" act={retry}>
          Retry
        </Act>
      </div>
    </li>
  );
}
