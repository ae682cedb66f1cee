/** Nodes that die while clients read by HTTP from another node than the one that has their connection: what is numbered arrives once and in order. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createPublisher } from "../../packages/publisher/src/index.ts";
import { type ClusterNode, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { LineStream } from "../support/line-stream.ts";
import { APP } from "../support/server.ts";
import { scaled } from "../support/soak.ts";

setDefaultTimeout(180_000);

const ENGINES: readonly ("redis" | "nats")[] = ["redis", "nats"];
const EVENTS = scaled(10_000, 400);
const PATIENCE = { withinMs: 60_000, everyMs: 20 };
const CONFIG = { nodeTimeoutS: 3, http: { sessionTimeoutS: 20 } };

const numbers = Array.from({ length: EVENTS }, (_, n) => n);

/** Published one after the other; `strike` is called once, in the middle. */
async function publish(channel: string, at: string, strike: () => Promise<void>): Promise<void> {
  const publisher = createPublisher({ url: at, appId: APP.id, key: APP.key, secret: APP.secret });
  let isStruck = false;
  for (let n = 0; n < EVENTS; n += 10) {
    await publisher.batch(numbers.slice(n, n + 10).map((data) => ({ channel, event: "n", data })));
    if (isStruck || n < EVENTS / 2) continue;
    isStruck = true;
    await strike();
  }
}

interface Frame {
  readonly event: string;
  readonly data?: { readonly session?: string };
  readonly position?: object;
  readonly recovered?: boolean;
}

/** A client of the native protocol over HTTP, which counts what it gets. */
class Reader {
  readonly heard: number[] = [];
  readonly words: string[] = [];
  session = "";
  /** How many frames of the session it has. */
  ack = 0;
  position: object | undefined;
  recovered: boolean | undefined;

  /** Opens a session, and resolves when it is subscribed. */
  async open(node: ClusterNode, channel: string): Promise<LineStream> {
    const { position } = this;
    const data = { channel, ...(position && { position }) };
    this.ack = 0;
    const body = `${JSON.stringify({ event: "subscribe", id: 1, data })}\n`;
    const before = this.words.length;
    const stream = await LineStream.open(`${node.url}/rt/stream`, { body });
    void this.#read(stream);
    await eventually(() => expect(this.words.slice(before)).toEqual(["welcome", "subscribed"]));
    return stream;
  }

  /** Goes on from what it has. `over` resolves when the response ends. */
  async goOn(node: ClusterNode): Promise<{ readonly status: number; readonly over: Promise<void> }> {
    const stream = await LineStream.open(`${node.url}/rt/stream?session=${this.session}&ack=${this.ack}`);
    const { status } = stream.response;
    return { status, over: status === 200 ? this.#read(stream) : Promise.resolve() };
  }

  /** The same by long polls, each at the next of these nodes, until so many events are there. */
  async poll(nodes: () => readonly ClusterNode[]): Promise<void> {
    for (let n = 0; this.heard.length < EVENTS; n++) {
      const node = nodes()[n % nodes().length];
      const address = `${node?.url}/rt/poll?session=${this.session}&ack=${this.ack}`;
      const answer = await fetch(address, { method: "POST", keepalive: false }).catch(() => undefined);
      if (!answer) continue;
      expect(answer.status).toBe(200);
      const body = (await answer.json().catch(() => ({ frames: [] }))) as { readonly frames: readonly Frame[] };
      for (const frame of body.frames) this.#hear(frame);
    }
  }

  async #read(stream: LineStream): Promise<void> {
    for (let line = await stream.next(); line !== undefined; line = await stream.next()) {
      if (line !== "") this.#hear(JSON.parse(line));
    }
  }

  #hear(frame: Frame): void {
    this.ack++;
    if (frame.event === "n") this.heard.push(frame.data as never);
    else this.words.push(frame.event);
    if (frame.event === "welcome") this.session = frame.data?.session ?? "";
    if (frame.event === "subscribed") this.recovered = frame.recovered;
    this.position = frame.position ?? this.position;
  }
}

async function threeNodes(engine: "redis" | "nats") {
  const [owner, asked, spare] = await startCluster(engine, { nodes: 3, config: CONFIG });
  if (!owner || !asked || !spare) throw new Error("Three nodes were asked for.");
  return { owner, asked, spare };
}

describe.each(scaled(ENGINES, ["redis"]))("over %s", (engine) => {
  test("the node that was asked dies in the midst of a stream: the next goes on, and nobody sees the client go", async () => {
    const { owner, asked, spare } = await threeNodes(engine);
    const reader = new Reader();
    await reader.open(owner, "plain");
    const { over } = await reader.goOn(asked);
    const goingOn = over.then(() => reader.goOn(spare));
    await publish("plain", owner.url, () => asked.kill());
    expect((await goingOn).status).toBe(200);
    await eventually(() => expect(reader.heard.length).toBeGreaterThanOrEqual(EVENTS), PATIENCE);
    expect(reader.heard).toEqual(numbers);
    expect(reader.words).toEqual(["welcome", "subscribed"]);
  });

  test("it dies between polls, each of which comes to another node: nothing is lost or comes twice", async () => {
    const { owner, asked, spare } = await threeNodes(engine);
    const reader = new Reader();
    // From here on it polls: what also came by the stream would come twice.
    (await reader.open(owner, "polled")).abort();
    let nodes = [asked, spare, owner];
    const polling = reader.poll(() => nodes);
    await publish("polled", owner.url, async () => {
      await asked.kill();
      nodes = [spare, owner];
    });
    await polling;
    expect(reader.heard).toEqual(numbers);
  });

  test("the node that has the connection dies: the client is told, opens anew with its position, and misses nothing", async () => {
    const { owner, asked, spare } = await threeNodes(engine);
    const reader = new Reader();
    await reader.open(owner, "kept-numbers");
    const { over } = await reader.goOn(asked);
    const again = over.then(async () => {
      await eventually(async () => expect((await reader.goOn(spare)).status).toBe(410), PATIENCE);
      await reader.open(spare, "kept-numbers");
    });
    await publish("kept-numbers", asked.url, () => owner.kill());
    await again;
    await eventually(() => expect(reader.heard.length).toBeGreaterThanOrEqual(EVENTS), PATIENCE);
    expect([reader.heard, reader.recovered]).toEqual([numbers, true]);
  });
});
