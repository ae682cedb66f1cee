/** What the nodes of a cluster tell each other for their dashboards: what is watched where, and what one asks of another. */

import { z } from "zod";
import type { App } from "../domain/app.ts";
import type { Hub } from "../hub/hub.ts";

const ClusterCommand = z.discriminatedUnion("type", [
  /** The live channels that dashboards of this node watch; nothing when they watch nothing any more. */
  z.object({ type: z.literal("watching"), node: z.string(), channels: z.array(z.string()) }),
  z.object({ type: z.literal("disconnect"), app: z.string(), connection: z.string(), message: z.string() }),
  z.object({ type: z.literal("drain"), node: z.string(), isOver: z.boolean().default(false) }),
  /** Live connections of the session have to go. */
  z.object({ type: z.literal("signed-out"), session: z.string() }),
]);

export type ClusterCommand = z.output<typeof ClusterCommand>;

export interface ClusterCommandsOptions {
  readonly hub: Pick<Hub, "listen" | "publish">;
  readonly app: App;
  readonly received: (order: ClusterCommand) => void;
  readonly failed: (error: unknown, during: string) => void;
}

/** Nobody can subscribe to it: names of clients' channels have no "#". */
const CHANNEL = "#nodes";
const EVENT = "order";

export class ClusterCommands {
  readonly #options: ClusterCommandsOptions;
  #stop: (() => void) | undefined;
  #asking: Promise<void> | undefined;

  constructor(options: ClusterCommandsOptions) {
    this.#options = options;
  }

  /** Hears the others; to be called again now and then, for the time when the engine was away. Never rejects. */
  listen(): Promise<void> {
    if (this.#stop) return Promise.resolve();
    this.#asking ??= this.#listen().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Every node hears it, this one too. Rejects with CommandError where the engine is away. */
  async send(order: ClusterCommand): Promise<void> {
    const { hub, app } = this.#options;
    const data = JSON.stringify(order);
    await hub.publish(app, { type: "event", app: app.id, channel: CHANNEL, event: EVENT, data });
  }

  close(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  async #listen(): Promise<void> {
    const { hub, app } = this.#options;
    try {
      this.#stop = await hub.listen(app, CHANNEL, ({ data }) => this.#hear(data));
    } catch {
      // The engine says by itself that it is away.
    }
  }

  #hear(data: string): void {
    const { received, failed } = this.#options;
    try {
      received(ClusterCommand.parse(JSON.parse(data)));
    } catch (error) {
      failed(error, "hearing what another node's dashboard asks");
    }
  }
}
