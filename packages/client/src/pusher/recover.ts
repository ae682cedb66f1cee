/** `recover(Pusher)`: lossless reconnects for an unchanged pusher-js, and so for Laravel Echo. */

import type Pusher from "pusher-js";
import { type Runtime, runtimeOf } from "./seams.ts";
import { type RecoverOptions, Session } from "./session.ts";
import { RecoveringSocket } from "./socket.ts";

/** Where a class of pusher-js keeps the options: this module may be loaded twice. */
const OPTIONS = Symbol.for("@fanfare/client/pusher");
/** An instance's number, as a folder of the address: only there does it get from its settings to its sockets. */
const MARK = /\/~fanfare(\d+)~/;
const PUSHER_HOST = /\.pusher(app)?\.com$/;

interface Recovering extends Runtime {
  [OPTIONS]?: RecoverOptions;
}

/**
 * Gives all instances of the class recovery: what was published while a connection was broken arrives after it, in order, each event once.
 * Where that cannot be, the channel gets the event `fanfare:gap`. Call it before the first `new Pusher`; a second call changes the options.
 *
 * @throws where pusher-js is older than 8.2, or lacks what this relies on.
 */
export function recover(PusherClass: typeof Pusher, options: RecoverOptions = {}): void {
  const before = (PusherClass?.Runtime as unknown as Recovering | undefined)?.[OPTIONS];
  if (before) {
    Object.assign(before, options);
    return;
  }
  const runtime: Recovering = runtimeOf(PusherClass);
  const settings = { ...options };
  runtime[OPTIONS] = settings;

  const sessions: Session[] = [];
  const sockets = new Set<RecoveringSocket>();
  const sessionOf = (config: unknown) => sessions.find((it) => it.isOf(config));

  const { getDefaultStrategy, createWebSocket } = runtime;
  runtime.getDefaultStrategy = (config, strategyOptions, define) => {
    const session = sessionOf(config) ?? new Session(config, PusherClass.instances, settings);
    if (!sessions.includes(session)) sessions.push(session);
    const mark = `/~fanfare${sessions.indexOf(session)}~`;
    const isElsewhere = !PUSHER_HOST.test(config.wsHost ?? "") && PUSHER_HOST.test(config.httpHost ?? "");
    return getDefaultStrategy.call(
      runtime,
      config,
      strategyOptions,
      (given, name, type, priority, transport, ...more) => {
        if (type === "ws") {
          const marked = { ...transport, httpPath: mark + (transport.httpPath ?? "") };
          return define(given, name, type, priority, marked, ...more);
        }
        // pusher-js falls back to HTTP at pusher.com whatever `wsHost` is. There the key is unknown, and it would give up for good.
        const disabledTransports = [...(given.disabledTransports ?? []), name];
        return define(isElsewhere ? { ...given, disabledTransports } : given, name, type, priority, transport, ...more);
      },
    );
  };
  runtime.createWebSocket = (url) => {
    const session = sessions[Number(MARK.exec(url)?.[1])];
    if (!session) return createWebSocket.call(runtime, url);
    const address = `${url.replace(MARK, "")}&recover=1`;
    const dial = () => createWebSocket.call(runtime, address);
    const socket = new RecoveringSocket(session, dial, (ended) => sockets.delete(ended));
    sockets.add(socket);
    return socket;
  };
  const { prototype } = PusherClass;
  const { unsubscribe } = prototype;
  prototype.unsubscribe = function (this: Pusher, channel) {
    // Who leaves while offline sends no frame, and is not to hear later what came before.
    sessionOf(this.config)?.forget(channel);
    return unsubscribe.call(this, channel);
  };
  onWake(() => {
    if (settings.wake !== false) for (const socket of sockets) socket.wake();
  });
}

/** React Native and Node have no such events. There, timers that run late wake a socket. */
function onWake(act: () => void): void {
  const { document } = globalThis;
  const listener = () => {
    if (!document?.hidden) act();
  };
  for (const event of ["online", "offline", "pageshow"]) globalThis.addEventListener?.(event, act);
  for (const event of ["visibilitychange", "resume"]) document?.addEventListener?.(event, listener);
}
