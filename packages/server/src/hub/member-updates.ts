/**
 * What changes of members, on its way to the engine: of each user one update at a time, and what comes within a moment of it as
 * one. So a user with many connections here costs the channel no more than one with a few.
 */

import type { Connection } from "../domain/connection.ts";
import { CommandError } from "../domain/error.ts";
import type { MemberUpdate, User } from "../domain/message.ts";
import type { Awaitable } from "../domain/ports.ts";
import { consistentUserInfo, userInfoJson } from "../domain/user-info.ts";
import type { HubContext } from "./context.ts";
import { checkMemberData } from "./limits.ts";

/** From the beginning of one update to that of the next. */
const PAUSE_MS = 50;

/** What waits for its turn. */
interface Pending {
  /** Those that said something, the last one last. */
  readonly connections: Connection[];
  update: MemberUpdate;
  readonly done: PromiseWithResolvers<boolean>;
}

export class MemberUpdates {
  readonly #context: HubContext;
  /** By user and channel, those of whom an update is under way or was so a moment ago. */
  readonly #pending = new Map<string, Pending | undefined>();

  constructor(context: HubContext) {
    this.#context = context;
  }

  /**
   * Resolves when it is what the channel shows of the user, or what another of the user's connections said later; false where the
   * connection is no member. Throws CommandError `engine_unavailable`: it may be shown all the same.
   */
  update(connection: Connection, channel: string, update: MemberUpdate): Promise<boolean> {
    const key = JSON.stringify([connection.app.id, channel, update.id]);
    const pending = this.#pending.get(key);
    if (pending) {
      pending.connections.push(connection);
      pending.update = { ...withoutInfo(pending.update, update), ...update };
      return pending.done.promise;
    }
    const next: Pending = { connections: [connection], update, done: Promise.withResolvers() };
    const isUnderWay = this.#pending.has(key);
    this.#pending.set(key, next);
    if (!isUnderWay) this.#context.runInBackground(() => this.#run(key, channel));
    return next.done.promise;
  }

  /** The connection's user is described in other words than `before`: so it is in channels where it is a member as that user. */
  showIdentity(connection: Connection, before: User | undefined): void {
    const { user, app } = connection;
    if (!user || !before || userInfoJson(user) === userInfoJson(before)) return;
    const member = { id: user.id, ...consistentUserInfo(user) };
    for (const channel of [...connection.channels()]) {
      const shown = connection.memberIn(channel);
      // Another one came from a signature, or from the back end, for this channel alone.
      if (shown?.id !== user.id || userInfoJson(shown) !== userInfoJson(before)) continue;
      try {
        checkMemberData(app, userInfoJson(member));
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        return this.#context.observe({ type: "refused", connection, error });
      }
      connection.setMembership(channel, member);
      this.#context.runInBackground(() => this.update(connection, channel, member));
    }
  }

  async #run(key: string, channel: string): Promise<void> {
    for (let next = this.#pending.get(key); next; next = this.#pending.get(key)) {
      this.#pending.set(key, undefined);
      const pause = this.#context.pause(PAUSE_MS);
      try {
        next.done.resolve(await this.#write(channel, next));
      } catch (error) {
        next.done.reject(error);
      }
      await pause;
    }
    this.#pending.delete(key);
  }

  #write(channel: string, { connections, update }: Pending): Awaitable<boolean> {
    // One of several may have left since.
    const connection = connections.findLast((each) => !each.closed && each.isIn(channel));
    if (!connection) return false;
    const { app, id } = connection;
    return this.#context.registry.update({ app: app.id, channel, connection: id, member: update });
  }
}

/** Where there is a new info, nothing is left of how the old one was written. */
function withoutInfo({ infoText, ...before }: MemberUpdate, { info }: MemberUpdate): MemberUpdate {
  return info !== undefined || infoText === undefined ? before : { ...before, infoText };
}
