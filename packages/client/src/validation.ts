/** Checks received events by the declaration, where the option `validate` says so. */

import { createChecker, type Declaration, type Problem } from "@fanfare/schema";
import type { ClientOptions } from "./types.ts";

/**
 * Whether the event is delivered to listeners. Without a channel it is one for the user, this connection or everybody. Never throws;
 * what is wrong has been reported when it returns.
 */
export type ReceivedCheck = (channel: string | undefined, event: string, data: unknown) => boolean;

/**
 * Undefined if nothing is to be checked, so that it then costs nothing:
 *
 *     const isAcceptable = createReceivedCheck(options);
 *     ...
 *     if (isAcceptable && !isAcceptable(channel, event, data)) return;
 *
 * Call it once for each event that arrives, before it goes to any listener, `recent`, `live` or iterator, but after its position was
 * noted: an event that is dropped was received all the same. Not for the client's own events such as gaps.
 */
export function createReceivedCheck<D extends Declaration>({
  events,
  validate = "off",
  log,
}: Pick<ClientOptions<D>, "events" | "validate" | "log">): ReceivedCheck | undefined {
  if (!events || validate === "off") return undefined;
  const checker = createChecker(events);
  const report = (channel: string | undefined, event: string, { message, code, issues }: Problem) => {
    // What libraries say may quote the data: it is for the console of a developer, and not for logs.
    if (!log) return console.warn(`Fanfare: ${message}`);
    const paths = issues.map(({ path }) => path);
    log({
      ...{ level: "warn", message: "A received event contradicts the declaration.", code, event, paths },
      ...(channel !== undefined && { channel }),
    });
  };
  return (channel, event, data) => {
    const problem = problemOf(() =>
      channel === undefined ? checker.userEvent(event, data) : checker.channelEvent(channel, event, data),
    );
    if (problem) report(channel, event, problem);
    return !problem || validate === "warn";
  };
}

/** A schema that throws, or that is asynchronous, accepts nothing. */
function problemOf(check: () => Problem | undefined): Problem | undefined {
  try {
    return check();
  } catch (error) {
    return { code: "data_invalid", message: String(error), issues: [] };
  }
}
