/** Answers the other nodes, where requests of clients arrived whose connection is here. */

import { receiveRequest } from "../../hub/execute.ts";
import type { Hub } from "../../hub/hub.ts";
import {
  closeSession,
  deliverCommands,
  deliverInTurn,
  NOT_THE_PAGE,
  type Outcome,
  refusalFor,
  SESSION_GONE,
  waitAsPusher,
  waitForTurn,
} from "./deliver.ts";
import { type FrameReader, type HttpSocket, KEPT_FRAMES, KEPT_UNITS } from "./http-socket.ts";
import {
  type Answer,
  type Batch,
  parseQuestion,
  type ReadAnswer,
  type ReadQuestion,
  SESSIONS_TOPIC,
  type SendQuestion,
} from "./relay.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";

/** A server that stops waits for its sessions, and so for the last answer to be on its way. */
const TRAVEL_MS = 100;

export class OwnedSessions {
  readonly #hub: Hub;
  readonly #sessions: Sessions;
  readonly #readers = new Map<string, RemoteReader>();

  constructor(sessions: Sessions) {
    this.#hub = sessions.hub;
    this.#sessions = sessions;
  }

  /** Answers from now on. */
  start(): void {
    this.#hub.nodeBus.handle(SESSIONS_TOPIC, (data) => this.#answer(data));
  }

  async #answer(data: unknown): Promise<Answer> {
    const question = parseQuestion(data);
    const session = this.#sessions.find(question.session);
    const refusal = session?.connection ? refusalFor(session, question.origin) : SESSION_GONE;
    switch (question.do) {
      case "read":
        if (refusal || !session) return { type: refusal === NOT_THE_PAGE ? "forbidden" : "gone" };
        return question.isFirst ? this.#readFirst(session, question) : this.#read(session, question);
      case "hang up":
        if (!refusal) this.#readers.get(question.reader)?.hangUp(question.isGone);
        return { status: 204 };
      case "send":
        return refusal || !session ? (refusal ?? SESSION_GONE) : this.#send(session, question);
      case "close":
        return refusal || !session ? (refusal ?? SESSION_GONE) : closeSession(this.#hub, session);
    }
  }

  async #readFirst(session: Session, question: ReadQuestion): Promise<ReadAnswer> {
    if (question.isResumable) {
      const refusal = await waitForTurn(this.#hub, session);
      if (refusal) return { type: refusal === SESSION_GONE ? "gone" : "limited" };
    } else await waitAsPusher(this.#hub, session);
    return session.socket.isEnded ? { type: "gone" } : this.#read(session, question);
  }

  async #send(session: Session, { seq, frames }: SendQuestion): Promise<Outcome> {
    if (seq === undefined) return deliverInTurn(this.#hub, session, Promise.resolve(frames));
    return (await waitForTurn(this.#hub, session)) ?? deliverCommands(this.#hub, session, seq, frames);
  }

  #read(session: Session, question: ReadQuestion): ReadAnswer | Promise<ReadAnswer> {
    const { socket, connection } = session;
    const { after, reader: name } = question;
    const known = this.#readers.get(name);
    // Its answer got lost, or its node was away: it goes on, unless another request reads by now or has done so meanwhile.
    const wasLast = socket.lastReader instanceof RemoteReader && socket.lastReader.name === name;
    if (!known && !question.isFirst && !wasLast) return { type: "replaced" };
    // What a node has, its client may not have yet. One that does not come back is another matter.
    const isClients = question.waitMs === 0 || !question.isResumable;
    if (after !== undefined && !(isClients ? socket.rewind(after) : socket.seek(after))) {
      socket.terminate();
      return { type: "gone" };
    }
    if (known) return known.next(question.waitMs);
    if (connection && (question.isPoll || question.isResumable)) receiveRequest(this.#hub, connection);
    const reader: RemoteReader = new RemoteReader(this.#sessions, session, question, () => this.#readers.delete(name));
    this.#readers.set(name, reader);
    return reader.next(question.waitMs);
  }
}

/** A request that another node has. */
class RemoteReader implements FrameReader {
  readonly name: string;
  readonly #sessions: Sessions;
  readonly #socket: HttpSocket;
  readonly #key: string;
  readonly #question: ReadQuestion;
  readonly #forget: () => void;
  #waiting: ((answer: ReadAnswer) => void) | undefined;
  #waitsUntilMs = 0;
  #askedAtMs: number;
  #owesSignOfLife = false;

  constructor(sessions: Sessions, { socket, connection }: Session, question: ReadQuestion, forget: () => void) {
    this.#sessions = sessions;
    this.#socket = socket;
    this.#key = connection?.app.key ?? "";
    this.name = question.reader;
    this.#question = question;
    this.#forget = forget;
    this.#askedAtMs = sessions.nowMs;
    sessions.startTicking(this);
    socket.attach(this);
  }

  next(waitMs: number): ReadAnswer | Promise<ReadAnswer> {
    const nowMs = this.#sessions.nowMs;
    this.#askedAtMs = nowMs;
    const isDue = this.#socket.isReady || this.#owesSignOfLife;
    if (this.#isHeld && waitMs === 0) return this.#nothing();
    if ((isDue && !this.#isHeld) || waitMs === 0) return this.#batch();
    const { promise, resolve } = Promise.withResolvers<ReadAnswer>();
    this.#waiting?.({ type: "replaced" });
    this.#waiting = resolve;
    this.#waitsUntilMs = nowMs + waitMs;
    return promise;
  }

  wake(): void {
    if (this.#waiting && !this.#isHeld) this.#reply(this.#batch());
  }

  giveSignOfLife(): void {
    this.#owesSignOfLife = true;
    this.wake();
  }

  end(): void {
    this.#reply({ type: "replaced" });
    this.#over();
  }

  hangUp(isGone: boolean): void {
    this.#reply({ type: "replaced" });
    this.#over();
    if (this.#socket.detach(this) && isGone) this.#socket.terminate();
  }

  /** A node that asks no more is dead, or has lost the engine. */
  tick(nowMs: number): void {
    if (this.#waiting && nowMs >= this.#waitsUntilMs) this.wake();
    const timeoutMs = this.#sessions.settings.sessionTimeoutS * 1000;
    if (!this.#waiting && nowMs - this.#askedAtMs > timeoutMs) this.hangUp(!this.#question.isResumable);
  }

  get #isHeld(): boolean {
    return this.#question.isPoll && this.#socket.holdsPoll;
  }

  #reply(answer: ReadAnswer): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#askedAtMs = this.#sessions.nowMs;
    waiting?.(answer);
  }

  #nothing(): Batch {
    return { type: "frames", key: this.#key, position: this.#socket.position, frames: [] };
  }

  #batch(): Batch {
    const socket = this.#socket;
    const { position } = socket;
    const frames = socket.take(KEPT_UNITS, KEPT_FRAMES);
    const isAlive = this.#owesSignOfLife;
    this.#owesSignOfLife = false;
    const { closing } = socket;
    const isLast = closing && socket.getBufferedAmount() === 0;
    if (isLast) setTimeout(() => socket.terminate(), TRAVEL_MS);
    // The request is answered by it.
    else if (this.#question.isPoll && (frames.length > 0 || isAlive)) {
      this.#over();
      socket.detach(this);
    }
    const rest = { ...(isLast && { closing }), ...(isAlive && { isAlive }) };
    return { type: "frames", key: this.#key, position, frames, ...rest };
  }

  #over(): void {
    this.#sessions.stopTicking(this);
    this.#forget();
  }
}
