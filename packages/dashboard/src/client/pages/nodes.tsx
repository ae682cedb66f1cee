/** The nodes of the cluster: how loaded each is, and letting one go quietly. */

import { type Done, type NodeEntry, OVERLOADED_LAG_MS, type Rebalanced } from "fanfare/wire/admin";
import { useState } from "preact/hooks";
import { call, path } from "../api.ts";
import { has, nodeState, overview } from "../overview.ts";
import { Act } from "../parts/act.tsx";
import { useAnswer } from "../parts/answer.ts";
import { Ask } from "../parts/dialog.tsx";
import { attempt, Failure, notify, Waiting } from "../parts/notes.tsx";
import { Head, Mark, Since } from "../parts/small.tsx";
import { to } from "../route.ts";
import { count, lasting, plural, size } from "../show.ts";

const EVERY_MS = 2_000;

export function Nodes() {
  const { data, error, reload } = useAnswer<readonly NodeEntry[]>("api/nodes", EVERY_MS);
  const [asked, ask] = useState<NodeEntry>();
  const endDrain = (node: NodeEntry) =>
    attempt(async () => {
      await call<Done>("DELETE", path(["nodes", node.id, "drain"]), {});
      reload();
    }, "It has been asked to take clients again.");
  const rebalance = () =>
    attempt(async () => {
      const { surplus, isEven } = await call<Rebalanced>("POST", path(["nodes", "rebalance"]), {});
      if (isEven) notify("They are evenly filled.");
      else notify(`${plural(surplus, "connection")} will be asked to reconnect, little by little.`);
    });
  const engine = overview.value?.engine;
  const most = Math.max(1, ...(data?.map(({ connections }) => connections) ?? []));
  return (
    <>
      <Head title="Nodes" crumb={<a href={to("settings")}>Settings</a>} lead={data && plural(data.length, "node")}>
        {(data?.length ?? 0) > 1 && (
          <Act needs="admin" act={rebalance}>
            Spread evenly
          </Act>
        )}
      </Head>
      {engine && !engine.reachable && (
        <div class="failure" role="alert">
          <p>The engine that the nodes share cannot be reached: {engine.why}. What is shown may be old.</p>
        </div>
      )}
      <Failure error={error} retry={reload} />
      {!data && !error && <Waiting />}
      <ul class="cards">
        {data?.map((node) => (
          <NodeCard key={node.id} node={node} most={most} drain={() => ask(node)} endDrain={() => endDrain(node)} />
        ))}
      </ul>
      {asked && (
        <Ask
          title={`Drain ${asked.name || asked.id}?`}
          verb="Drain"
          isDangerous
          onClose={() => ask(undefined)}
          act={async () => {
            const { outcome } = await call<Done>("POST", path(["nodes", asked.id, "drain"]), {});
            notify(outcome === "done" ? "It drains." : "It has been asked to drain.");
            reload();
          }}
        >
          <p>
            It tells its clients, little by little, to come back, and those that come to it as well: the other nodes get
            them. That lasts until you end it.
            {(data?.length ?? 1) < 2 && " It is the only node: its clients have nowhere else to go."}
          </p>
        </Ask>
      )}
    </>
  );
}

interface CardProps {
  readonly node: NodeEntry;
  readonly most: number;
  readonly drain: () => void;
  readonly endDrain: () => void;
}

function NodeCard({ node, most, drain, endDrain }: CardProps) {
  const { id, name, url, isThis, startedAtMs, connections, lagMs, memoryBytes, draining, silentMs } = node;
  return (
    <li class="card node">
      <h2>
        {name || id.slice(0, 8)} {isThis && <Mark tone="info">this one</Mark>} <State node={node} />
      </h2>
      <p class="mono soft breakable">{url ?? id}</p>
      <dl class="facts">
        <div>
          <dt>Connections</dt>
          <dd>
            {count(connections)}{" "}
            <meter min={0} max={most} value={connections} aria-label={`Connections: ${connections}`} />
          </dd>
        </div>
        <div>
          <dt title="How late timers run. Above 100 ms the node is overloaded.">Event loop lag</dt>
          <dd>
            <Mark tone={lagMs > OVERLOADED_LAG_MS ? "bad" : "plain"}>{Math.round(lagMs)} ms</Mark>
          </dd>
        </div>
        {memoryBytes !== undefined && (
          <div>
            <dt>Memory</dt>
            <dd>{size(memoryBytes)}</dd>
          </div>
        )}
        <div>
          <dt>Up for</dt>
          <dd>
            <Since atMs={startedAtMs} />
          </dd>
        </div>
        <div>
          <dt>Last heartbeat</dt>
          <dd>{silentMs < 1_500 ? "now" : `${lasting(silentMs)} ago`}</dd>
        </div>
      </dl>
      {has("drain") && (
        <div class="actions">
          <Act needs="admin" look={draining ? undefined : "danger"} act={draining ? endDrain : drain}>
            {draining ? "End draining" : "Drain"}
          </Act>
        </div>
      )}
    </li>
  );
}

function State({ node }: { node: NodeEntry }) {
  const [tone, word] = nodeState(node);
  return <Mark tone={tone}>{word}</Mark>;
}
