/** Writes what happens to the log: faults as errors, comings and goings at debug. Never a secret, a token or a payload. */

import type { Logger } from "pino";
import type { Observer } from "../domain/ports.ts";

export function logObserver(log: Logger): Observer {
  return (event) => {
    switch (event.type) {
      case "failed":
        return log.error({ err: event.error, during: event.during }, "something went wrong");
      case "opened":
        return log.debug({ ...about(event.connection) }, "connected");
      case "closed":
        return log.debug({ ...about(event.connection), code: event.code, why: event.why?.code }, "disconnected");
      case "turned-away":
        return log.info({ address: event.address, why: event.why.code }, "turned away");
      case "refused":
        return log.debug({ ...about(event.connection), why: event.error.code }, "refused");
      case "subscribed":
      case "unsubscribed":
        return log.debug({ ...about(event.connection), channel: event.channel }, event.type);
      case "occupied":
      case "vacated":
        return log.debug({ app: event.app.id, channel: event.channel }, event.type);
      case "published":
        if (!log.isLevelEnabled("trace")) return;
        return log.trace({ app: event.app.id, channel: event.publication.channel }, "published");
      case "joined":
      case "left":
      case "counted":
      case "missed":
        return;
    }
  };
}

function about({ id, app, protocol }: { id: string; app: { id: string }; protocol: { name: string } }) {
  return { connection: id, app: app.id, protocol: protocol.name };
}
