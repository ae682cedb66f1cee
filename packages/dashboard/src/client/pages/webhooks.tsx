/** Webhooks: what waits, what failed, and trying that again. */

import type { FailedDelivery, Replayed, Webhooks as Wire } from "fanfare/wire/admin";
import { call, path } from "../api.ts";
import { has } from "../overview.ts";
import { Act } from "../parts/act.tsx";
import { useAnswer } from "../parts/answer.ts";
import { attempt, Empty, Failure, notify, Waiting } from "../parts/notes.tsx";
import { PayloadView } from "../parts/payload.tsx";
import { Facts, Head, Mark, Since, Time } from "../parts/small.tsx";
import { chosenApp, to } from "../route.ts";
import { count, plural } from "../show.ts";

const EVERY_MS = 3_000;

export function Webhooks() {
  const isThere = has("webhooks");
  const app = chosenApp.value;
  const { data, error, reload } = useAnswer<Wire>(isThere ? path(["webhooks"], { app }) : undefined, EVERY_MS);
  const replay = async (ids?: readonly number[]) => {
    await attempt(async () => {
      const { count: sent } = await call<Replayed>("POST", "api/webhooks/replay", ids ? { ids } : {});
      notify(`${plural(sent, "webhook")} will be tried again.`);
    });
    reload();
  };
  return (
    <>
      <Head title="Webhooks" lead="What the server tells your back end.">
        {data && data.failed > 0 && (
          <Act needs="operate" look="primary" act={() => void replay()}>
            Retry all {count(data.failed)}
          </Act>
        )}
      </Head>
      {!isThere && (
        <Empty title="No webhook is kept here">
          Webhooks go through a database, so that none is lost: set <code>database.url</code>, and an app's{" "}
          <code>webhooks</code>.
        </Empty>
      )}
      <Failure error={error} retry={reload} />
      {isThere && !data && !error && <Waiting />}
      {data && <Backlog webhooks={data} />}
      {data && data.letters.length === 0 && (
        <Empty title="No failed deliveries">
          A webhook that its receiver does not take in time is kept here, to be tried again.
        </Empty>
      )}
      <ul class="letters">
        {data?.letters.map((letter) => (
          <Letter key={letter.id} letter={letter} replay={() => void replay([letter.id])} />
        ))}
      </ul>
      {data && data.failed > data.letters.length && data.letters.length > 0 && (
        <p class="more">
          {count(data.letters.length)} of {count(data.failed)} are listed, newest first.
        </p>
      )}
    </>
  );
}

function Backlog({ webhooks: { waiting, failed, oldestAtMs } }: { webhooks: Wire }) {
  const rows = [
    ["Waiting", count(waiting)],
    ["Oldest", oldestAtMs === undefined ? "none" : <Since key="oldest" atMs={oldestAtMs} />],
    [
      "Failed",
      failed === 0 ? (
        "none"
      ) : (
        <Mark key="failed" tone="bad">
          {count(failed)}
        </Mark>
      ),
    ],
  ] as const;
  return <Facts rows={rows} />;
}

function Letter({ letter, replay }: { letter: FailedDelivery; replay: () => void }) {
  const { app, channel, target, payload, attempts, createdAtMs, lastError } = letter;
  return (
    <li class="card">
      <div class="letter-head">
        <div>
          <p class="breakable">
            <strong>{target}</strong>
          </p>
          <p class="soft">
            <a href={to("channel", { app, name: channel })}>{channel}</a> · <Time atMs={createdAtMs} isLong /> ·{" "}
            {plural(attempts, "attempt")}
          </p>
          {lastError !== undefined && <p class="bad-text breakable">{lastError}</p>}
        </div>
        <Act needs="operate" act={replay}>
          Retry
        </Act>
      </div>
      <details>
        <summary>Body</summary>
        <PayloadView payload={payload} label="Body" />
      </details>
    </li>
  );
}
