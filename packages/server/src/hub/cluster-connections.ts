/**
 * Connections wherever in the cluster they are: an event for all of an app, or finding, notifying or ending one of them. The
 * first number of a connection's id is its node's, so only that node is asked.
 */

import type { App } from "../domain/app.ts";
import type { Connection } from "../domain/connection.ts";
import { Disconnect } from "../domain/error.ts";
import type { NoticePush, Push } from "../domain/message.ts";
import type { Awaitable, NodeState } from "../domain/ports.ts";
import { nodeNumber } from "./context.ts";
import type { NodeBus } from "./node-bus.ts";
import { fieldsOf, textOf } from "./steer-act.ts";

type AppId = Pick<App, "id">;

/** The hub, for the connections of this node. */
interface LocalConnections {
  readonly nodeBus: NodeBus;
  nodes(): Awaitable<readonly NodeState[]>;
  connection(app: AppId, id: string): Connection | undefined;
  push(connection: Connection, push: Push): void;
  pushToAll(app: AppId, push: Push): void;
  disconnect(connection: Connection, why: Disconnect): void;
}

/** What is done with a connection that is found. */
export type ConnectionAction =
  | { readonly type: "find" }
  | { readonly type: "push"; readonly notice: NoticePush }
  | { readonly type: "disconnect"; readonly message: string };

const TO_APP = "push to app";
const ACT = "act on connection";
const CONNECTION_ID = /^(\d{1,10})\.\d{1,20}$/;

export class ClusterConnections {
  readonly #local: LocalConnections;

  constructor(local: LocalConnections) {
    this.#local = local;
    local.nodeBus.handle(TO_APP, (data) => {
      const { app, notice } = fieldsOf(data);
      local.pushToAll({ id: textOf(app) }, noticeOf(notice));
    });
    local.nodeBus.handle(ACT, (data) => {
      const { app, connection, action } = fieldsOf(data);
      return this.#actHere({ id: textOf(app) }, textOf(connection), actionOf(action));
    });
  }

  /** Sends the event to every connection of the app. Throws CommandError `engine_unavailable`. */
  pushToApp({ id }: AppId, notice: NoticePush): Promise<void> {
    return this.#local.nodeBus.broadcast(TO_APP, { app: id, notice });
  }

  /** Whether the connection was found. Throws CommandError `engine_unavailable` where its node does not answer; it may be done or not. */
  async act(app: AppId, connection: string, action: ConnectionAction): Promise<boolean> {
    const { nodeBus } = this.#local;
    const node = Number(CONNECTION_ID.exec(connection)?.[1] ?? Number.NaN);
    if (node === nodeBus.number || this.#local.connection(app, connection)) {
      return this.#actHere(app, connection, action);
    }
    const nodes = await this.#local.nodes();
    if (!nodes.some(({ id }) => nodeNumber(id) === node)) return false;
    return (await nodeBus.ask(node, ACT, { app: app.id, connection, action })) === true;
  }

  #actHere(app: AppId, id: string, action: ConnectionAction): boolean {
    const connection = this.#local.connection(app, id);
    if (!connection) return false;
    if (action.type === "push") this.#local.push(connection, action.notice);
    if (action.type === "disconnect") this.#local.disconnect(connection, new Disconnect("terminated", action.message));
    return true;
  }
}

function actionOf(value: unknown): ConnectionAction {
  const { type, notice, message } = fieldsOf(value);
  switch (type) {
    case "find":
      return { type };
    case "push":
      return { type, notice: noticeOf(notice) };
    case "disconnect":
      return { type, message: textOf(message) };
  }
  throw new Error("It asks for an unknown action.");
}

function noticeOf(value: unknown): NoticePush {
  const { event, data, bare } = fieldsOf(value);
  return { type: "notice", event: textOf(event), data: textOf(data), ...(bare === true && { bare }) };
}
