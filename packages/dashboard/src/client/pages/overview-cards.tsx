/** The cards beside the numbers of the overview: the nodes, the receivers of webhooks, and what somebody changed. */

import type { AuditEntry, NodeEntry, WebhookReceiver } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import { path } from "../api.ts";
import { backlog, nodeName, nodeState } from "../overview.ts";
import { useAnswer } from "../parts/answer.ts";
import { Card } from "../parts/card.tsx";
import { ChangeWords, changeIcon } from "../parts/change.tsx";
import { Icon } from "../parts/icon.tsx";
import { Failure } from "../parts/notes.tsx";
import { Mark, Since } from "../parts/small.tsx";
import { to } from "../route.ts";
import { count, percent, size } from "../show.ts";
import { isFailing, shortTarget } from "./receivers.ts";

const SHOWN = { receivers: 5, changes: 5 };

export function NodeTable({ nodes }: { nodes: readonly NodeEntry[] }) {
  return (
    <Card title="Nodes" link={<a href={to("settings", { tab: "nodes" })}>Manage</a>}>
      <div class="table">
        <table>
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col" class="number">
                Connections
              </th>
              <th scope="col" class="number">
                Lag
              </th>
              <th scope="col" class="number">
                Memory
              </th>
            </tr>
          </thead>
          <tbody>
            {nodes.map((node) => (
              <tr key={node.id}>
                <th scope="row">
                  <NodeState node={node} />
                </th>
                <td class="number">{count(node.connections)}</td>
                <td class="number">{Math.round(node.lagMs)} ms</td>
                <td class="number">{node.memoryBytes === undefined ? "" : size(node.memoryBytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

/** A colour is never alone: what is not well says what it is. */
function NodeState({ node }: { node: NodeEntry }) {
  const [tone, word] = nodeState(node);
  return (
    <span class="dotted">
      <span class={`dot ${tone}`} aria-hidden="true" />
      {nodeName(node.id)} {tone !== "good" && <Mark tone={tone}>{word}</Mark>}
    </span>
  );
}

/** Those that fail first. */
export function Receivers() {
  const { receivers = [], failed = 0 } = backlog.value ?? {};
  if (receivers.length === 0) return null;
  const worstFirst = receivers.toSorted((one, other) => Number(isFailing(other)) - Number(isFailing(one)));
  const link = <a href={to("webhooks")}>{failed > 0 ? `${count(failed)} failed` : "All"}</a>;
  return (
    <Card title="Webhooks" link={link}>
      <ul class="lines">
        {worstFirst.slice(0, SHOWN.receivers).map((receiver) => (
          <li key={`${receiver.app}/${receiver.target}`}>
            <span class={`dot ${isFailing(receiver) ? "bad" : "good"}`} aria-hidden="true" />
            <span class="receiver">
              <strong class="breakable">{shortTarget(receiver.target)}</strong>
              <span class="soft">{stateOf(receiver)}</span>
            </span>
            <span class="grow" />
            <Lately receiver={receiver} />
          </li>
        ))}
      </ul>
    </Card>
  );
}

const BAR = { width: 4, gap: 1, height: 18 };

/** One bar for each part of the last hour: all taken, some, or none. */
function Lately({ receiver: { lately, attempts, taken } }: { receiver: WebhookReceiver }) {
  if (lately.length === 0) return null;
  const step = BAR.width + BAR.gap;
  return (
    <svg
      class="lately"
      width={lately.length * step}
      height={BAR.height}
      role="img"
      aria-label={`${count(taken)} of ${count(attempts)} succeeded in the last hour`}
    >
      {lately.map(([ofThose, failed], at) => (
        <rect
          key={at}
          class={ofThose + failed === 0 ? "none" : failed === 0 ? "good" : ofThose === 0 ? "bad" : "warn"}
          x={at * step}
          y={ofThose + failed === 0 ? BAR.height - 3 : 0}
          width={BAR.width}
          height={ofThose + failed === 0 ? 3 : BAR.height}
          rx="1"
        />
      ))}
    </svg>
  );
}

function stateOf(receiver: WebhookReceiver): ComponentChildren {
  const { attempts, taken, p95Ms, waiting, failed, lastStatus, failingSinceMs, isResting } = receiver;
  if (!isFailing(receiver)) {
    const asked =
      attempts === 0 ? "not asked in the last hour" : `${percent(taken / attempts)} of ${count(attempts)} in an hour`;
    const took = p95Ms !== undefined && `p95 ${Math.round(p95Ms)} ms`;
    return [asked, took, waiting > 0 && `${count(waiting)} waiting`].filter(Boolean).join(" · ");
  }
  const backlog = [isResting && "resting", `${count(waiting)} waiting`, failed > 0 && `${count(failed)} failed`];
  return (
    <>
      {lastStatus === undefined ? "no answer" : `answers ${lastStatus}`}
      {failingSinceMs !== undefined && (
        <>
          {" "}
          for <Since atMs={failingSinceMs} />
        </>
      )}
      {` · ${backlog.filter(Boolean).join(" · ")}`}
    </>
  );
}

export function Changes() {
  const { data, error, reload } = useAnswer<readonly AuditEntry[]>(path(["audit"], { limit: SHOWN.changes }), 10_000);
  if (!error && (!data || data.length === 0)) return null;
  return (
    <Card title="Recent changes" link={<a href={to("settings", { tab: "audit" })}>Audit log</a>}>
      <Failure error={error} retry={reload} />
      <ul class="lines">
        {data?.map((entry) => (
          <li key={entry.id}>
            <Icon name={changeIcon(entry)} isSmall />
            <ChangeWords entry={entry} />
            <span class="grow" />
            <span class="soft when">
              <Since atMs={entry.atMs} /> ago
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
