/** Webhooks: how each receiver answers, what waits, what failed, and trying that again. */

import type { FailedDelivery, Replayed, WebhookReceiver, Webhooks as Wire } from "fanfare/wire/admin";
import { call, path } from "../api.ts";
import { appName, has, overview } from "../overview.ts";
import { Act } from "../parts/act.tsx";
import { useAnswer } from "../parts/answer.ts";
import { attempt, Empty, Failure, NodesMissing, notify, Waiting } from "../parts/notes.tsx";
import { PayloadView } from "../parts/payload.tsx";
import { Head, Mark, Since, Time } from "../parts/small.tsx";
import { Fact, Strip } from "../parts/strip.tsx";
import { chosenApp, to } from "../route.ts";
import { count, percent, plural, rateText } from "../show.ts";
import { Outboxes } from "./outboxes.tsx";

const EVERY_MS = 3_000;

export function Webhooks() {
  const isThere = has("webhooks");
  const app = chosenApp.value;
  const { data, error, reload } = useAnswer<Wire>(isThere ? path(["webhooks"], { app }) : undefined, EVERY_MS);
  const replay = async (ids?: readonly number[]) => {
    await attempt(async () => {
      const { count: sent } = await call<Replayed>("POST", "api/webhooks/replay", { ids, app });
      notify(`${plural(sent, "webhook")} will be tried again.`);
    });
    reload();
  };
  return (
    <>
      <Head title="Webhooks" lead="What the server tells your back end." />
      {!isThere && (
        <Empty title="No webhook is kept here">
          Webhooks go through a database, so that none is lost: set <code>database.url</code>, and an app's{" "}
          <code>webhooks</code>.
        </Empty>
      )}
      <Failure error={error} retry={reload} />
      <NodesMissing count={data?.nodesMissing} />
      {isThere && !data && !error && <Waiting />}
      {data && (
        <>
          <Backlog webhooks={inScope(data)} />
          <Receivers receivers={data.receivers} />
          <FailedDeliveries webhooks={inScope(data)} replay={(ids) => void replay(ids)} />
        </>
      )}
      {has("outboxes") && <Outboxes />}
    </>
  );
}

/** The server counts what waits and what failed of all apps together. */
function inScope(all: Wire): Wire {
  if (chosenApp.value === undefined) return all;
  const { oldestAtMs, ...more } = all;
  const sum = (of: "waiting" | "failed") => all.receivers.reduce((total, receiver) => total + receiver[of], 0);
  const waiting = sum("waiting");
  return { ...more, waiting, failed: sum("failed"), ...(waiting > 0 && oldestAtMs !== undefined && { oldestAtMs }) };
}

function Backlog({ webhooks: { waiting, failed, oldestAtMs, receivers } }: { webhooks: Wire }) {
  const perMinute = receivers.reduce((sum, receiver) => sum + receiver.perMinute, 0);
  const attempts = receivers.reduce((sum, receiver) => sum + receiver.attempts, 0);
  const taken = receivers.reduce((sum, receiver) => sum + receiver.taken, 0);
  return (
    <Strip>
      <Fact name="Requests" value={rateText(perMinute)} unit="/min" more="over the last five minutes" />
      <Fact
        name="Succeeded"
        value={share(taken, attempts)}
        more={attempts === 0 ? "nobody was asked lately" : `of ${count(attempts)} lately`}
      />
      <Fact
        name="Waiting"
        value={count(waiting)}
        more={oldestAtMs === undefined ? "none" : <Since atMs={oldestAtMs} />}
      />
      <Fact
        name="Failed"
        value={count(failed)}
        more={failed === 0 ? "none" : <Mark tone="bad">to be retried by hand</Mark>}
      />
    </Strip>
  );
}

function share(taken: number, attempts: number): string {
  return attempts === 0 ? "–" : percent(taken / attempts);
}

function Receivers({ receivers }: { receivers: readonly WebhookReceiver[] }) {
  if (receivers.length === 0) {
    return (
      <Empty title="No app has a receiver yet">
        Give an app <code>webhooks</code> or <code>hooks</code>: how each of them answers is shown here.
      </Empty>
    );
  }
  const hasApps = chosenApp.value === undefined && (overview.value?.apps.length ?? 0) > 1;
  const sorted = receivers.toSorted(
    (one, other) => other.failed - one.failed || one.target.localeCompare(other.target),
  );
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th scope="col">Receiver</th>
            {hasApps && (
              <th scope="col" class="wide">
                App
              </th>
            )}
            <th scope="col" class="number">
              Success
            </th>
            <th scope="col" class="number wide">
              p95
            </th>
            <th scope="col" class="wide">
              Last answer
            </th>
            <th scope="col" class="number wide">
              Per minute
            </th>
            <th scope="col" class="number">
              Waiting
            </th>
            <th scope="col" class="number">
              Failed
            </th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((it, index) => (
            <ReceiverRow key={`${it.app} ${it.target} ${index}`} receiver={it} hasApp={hasApps} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function ReceiverRow({ receiver, hasApp }: { receiver: WebhookReceiver; hasApp: boolean }) {
  const { app, target, attempts, taken, p95Ms, perMinute, lastAtMs, lastStatus, waiting, failed, isResting } = receiver;
  const isHealthy = attempts === 0 || taken === attempts;
  return (
    <tr>
      <th scope="row">
        {nameOf(target)} {isResting && <Mark tone="bad">resting: it failed too often</Mark>}
      </th>
      {hasApp && (
        <td class="wide">
          <a href={to("app", { app })}>{appName(app)}</a>
        </td>
      )}
      <td class="number">
        {isHealthy ? share(taken, attempts) : <Mark tone={taken === 0 ? "bad" : "warn"}>{share(taken, attempts)}</Mark>}
      </td>
      <td class="number wide">{p95Ms === undefined ? "–" : `${count(p95Ms)} ms`}</td>
      <td class="wide">
        {lastStatus !== undefined && (
          <Mark tone={lastStatus >= 200 && lastStatus < 300 ? "good" : "bad"}>{lastStatus}</Mark>
        )}{" "}
        {lastAtMs === undefined ? (
          <span class="soft">none lately</span>
        ) : (
          <small>
            <Since atMs={lastAtMs} /> ago
          </small>
        )}
      </td>
      <td class="number wide">{rateText(perMinute)}</td>
      <td class="number">{count(waiting)}</td>
      <td class="number">{failed > 0 ? <Mark tone="bad">{count(failed)}</Mark> : "0"}</td>
    </tr>
  );
}

function nameOf(target: string) {
  return target.startsWith("hook:") ? <>hook {target.slice("hook:".length)}</> : <span class="mono">{target}</span>;
}

interface FailedDeliveriesProps {
  readonly webhooks: Wire;
  readonly replay: (ids?: readonly number[]) => void;
}

function FailedDeliveries({ webhooks: { failed, deliveries }, replay }: FailedDeliveriesProps) {
  return (
    <section class="stack" aria-labelledby="failed-deliveries">
      <h2 id="failed-deliveries">
        Failed deliveries <small>{count(failed)}</small>
        <span class="grow" />
        {failed > 0 && (
          <Act needs="operate" look="primary" act={() => replay()}>
            Retry all {count(failed)}
          </Act>
        )}
      </h2>
      {deliveries.length === 0 ? (
        <Empty title="No failed deliveries">
          A webhook that its receiver does not take in time is kept here, to be tried again.
        </Empty>
      ) : (
        <ul class="table deliveries">
          {deliveries.map((delivery) => (
            <Delivery key={delivery.id} delivery={delivery} replay={() => replay([delivery.id])} />
          ))}
        </ul>
      )}
      {failed > deliveries.length && deliveries.length > 0 && (
        <p class="more">
          {count(deliveries.length)} of {count(failed)} are listed, newest first.
        </p>
      )}
    </section>
  );
}

function Delivery({ delivery, replay }: { delivery: FailedDelivery; replay: () => void }) {
  const { app, channel, target, payload, attempts, createdAtMs, lastError } = delivery;
  return (
    <li>
      <div class="delivery">
        <span class="what mono" title={target}>
          {target}
        </span>
        <a class="what plain-link" href={to("channel", { app, name: channel })}>
          {channel}
        </a>
        <span class="soft">
          <Time atMs={createdAtMs} isLong />
        </span>
        <span class="soft">{plural(attempts, "attempt")}</span>
        <span class="bad-text breakable">{lastError}</span>
        <Act needs="operate" look="quiet" act={replay}>
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
