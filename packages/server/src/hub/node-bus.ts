/** What the nodes of a cluster say to each other: a message to every node, or a question to one of them or to all. */

import { CommandError, isEngineAway } from "../domain/error.ts";
import type { Publication } from "../domain/message.ts";
import { type HubContext, nodeNumber } from "./context.ts";

/** Anything that can publish in the engine can send a message, so a handler checks what it is given. Its result, or what it resolves with, answers a question. */
export type NodeMessageHandler = (data: unknown) => unknown;

/** What came of a question to every node. */
export interface Answers {
  readonly answers: readonly unknown[];
  /** Nodes that are listed and did not answer in time. */
  readonly missing: number;
}

type NodeMessage =
  | { readonly type: "message"; readonly topic: string; readonly data: unknown }
  | { readonly type: "ask"; readonly topic: string; readonly data: unknown; readonly id: number; readonly from: number }
  | { readonly type: "answer"; readonly id: number; readonly from: number; readonly answer: unknown };

interface Question {
  readonly askedAtMs: number;
  /** Where it may take longer than any other. */
  readonly timeoutMs?: number;
  /** Whether that was all that it waits for. */
  answer(answer: unknown, from: number): boolean;
  reject(error: Error): void;
  timeOut(): void;
}

/** No configured app has this id: the messages are in no app's channels. */
const APP = "#nodes";
const ALL_NODES = "#all";

export class NodeBus {
  readonly #context: HubContext;
  readonly #handlers = new Map<string, NodeMessageHandler>();
  readonly #questions = new Map<number, Question>();
  readonly #subscribed = new Set<string>();
  #lastQuestion = 0;
  #isStarting = false;

  constructor(context: HubContext) {
    this.#context = context;
  }

  get number(): number {
    return this.#context.nodeNumber;
  }

  /** The handler for the topic's messages, until the returned function is called. Messages of other topics are ignored. */
  handle(topic: string, handler: NodeMessageHandler): () => void {
    this.#handlers.set(topic, handler);
    return () => this.#handlers.delete(topic);
  }

  /** Receives from now on, or as soon as `sweep` finds the engine reachable. Never throws. */
  async start(): Promise<void> {
    this.#isStarting = true;
    await Promise.all([this.#subscribe(ALL_NODES), this.#subscribe(channelOf(this.number))]);
    this.#isStarting = false;
  }

  /** Whether messages may have been missed where those of these channels may, or of all. */
  isAmong(channels: readonly { readonly app: string }[] | undefined): boolean {
    return channels?.some(({ app }) => app === APP) ?? true;
  }

  /** Whether the publication was a message between nodes. */
  receive(publication: Publication): boolean {
    if (publication.app !== APP) return false;
    try {
      if (publication.type === "event") this.#handle(parseMessage(publication.data));
    } catch (error) {
      this.#context.observeFailure(error, "a message of another node");
    }
    return true;
  }

  /** Every node receives it, this one too. Throws CommandError `engine_unavailable`. */
  async broadcast(topic: string, data: unknown): Promise<void> {
    await this.#send(ALL_NODES, { type: "message", topic, data });
  }

  /** What the node's handler answers. Throws CommandError `engine_unavailable` where it does not answer in time. */
  ask(node: number, topic: string, data: unknown, timeoutMs?: number): Promise<unknown> {
    const id = ++this.#lastQuestion;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const answer = (given: unknown) => {
      resolve(given);
      return true;
    };
    const timeOut = () =>
      reject(new CommandError("engine_unavailable", "The node that has this connection does not answer."));
    const patience = timeoutMs === undefined ? {} : { timeoutMs };
    this.#ask(channelOf(node), topic, data, id, { answer, reject, timeOut, ...patience });
    return promise;
  }

  /** What the handlers of all nodes answer, this one's included. Throws CommandError `engine_unavailable` where they cannot be asked. */
  async askAll(topic: string, data: unknown): Promise<Answers> {
    const nodes = await this.#context.engine.nodes();
    const awaited = new Set([this.number, ...nodes.map(({ id }) => nodeNumber(id))]);
    const answers: unknown[] = [];
    const id = ++this.#lastQuestion;
    const { promise, resolve, reject } = Promise.withResolvers<Answers>();
    const timeOut = () => resolve({ answers, missing: awaited.size });
    const answer = (given: unknown, from: number) => {
      answers.push(given);
      awaited.delete(from);
      if (awaited.size > 0) return false;
      timeOut();
      return true;
    };
    this.#ask(ALL_NODES, topic, data, id, { answer, reject, timeOut });
    return promise;
  }

  /** Gives up questions that took too long, and subscribes where the engine was away. Call it every second or two. */
  sweep(nowMs: number): void {
    const usualMs = this.#context.limits.publishWaitS * 1000;
    for (const [id, { askedAtMs, timeoutMs = usualMs }] of this.#questions) {
      if (nowMs - askedAtMs >= timeoutMs) this.#takeQuestion(id)?.timeOut();
    }
    if (this.#subscribed.size < 2 && !this.#isStarting) void this.start();
  }

  async #subscribe(channel: string): Promise<void> {
    if (this.#subscribed.has(channel)) return;
    try {
      await this.#context.broker.subscribe(APP, channel);
      this.#subscribed.add(channel);
    } catch (error) {
      if (!isEngineAway(error)) this.#context.observeFailure(error, "subscribing to messages of other nodes");
    }
  }

  #ask(channel: string, topic: string, data: unknown, id: number, question: Omit<Question, "askedAtMs">): void {
    this.#questions.set(id, { askedAtMs: this.#context.clock.monotonicMs(), ...question });
    this.#send(channel, { type: "ask", topic, data, id, from: this.number }).catch((error) =>
      this.#takeQuestion(id)?.reject(error),
    );
  }

  async #send(channel: string, message: NodeMessage): Promise<void> {
    const data = JSON.stringify(message);
    await this.#context.broker.publish({ type: "event", app: APP, channel, event: message.type, data });
  }

  #handle(message: NodeMessage): void {
    if (message.type === "answer") {
      const isAll = this.#questions.get(message.id)?.answer(message.answer, message.from);
      if (isAll) this.#questions.delete(message.id);
      return;
    }
    const handler = this.#handlers.get(message.topic);
    if (!handler) return;
    const answer = handler(message.data);
    if (message.type === "ask") void this.#answer(message, answer);
  }

  async #answer({ id, from: asker }: { readonly id: number; readonly from: number }, answer: unknown): Promise<void> {
    try {
      await this.#send(channelOf(asker), { type: "answer", id, from: this.number, answer: await answer });
    } catch (error) {
      this.#context.observeFailure(error, "answering another node");
    }
  }

  #takeQuestion(id: number): Question | undefined {
    const question = this.#questions.get(id);
    this.#questions.delete(id);
    return question;
  }
}

function channelOf(node: number): string {
  return `#node-${node}`;
}

function parseMessage(text: string): NodeMessage {
  const message = JSON.parse(text) as Partial<Record<string, unknown>>;
  const { type, topic, id, from } = message;
  const isValid =
    (type === "message" && typeof topic === "string") ||
    (type === "ask" && typeof topic === "string" && typeof id === "number" && typeof from === "number") ||
    (type === "answer" && typeof id === "number" && typeof from === "number");
  if (!isValid) throw new Error("It is not a message of a node.");
  return message as NodeMessage;
}
