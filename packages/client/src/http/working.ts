/** Which transport worked here, and whether a better one has come to work meanwhile: a WebSocket, once the network is another. */

import type { TransportRequest, TransportSocket } from "../transport.ts";

const KEY = "fanfare:transport";
/** Later it is found out anew. */
const REMEMBERED_MS = 1_800_000;
const FIRST_LOOK_MS = 30_000;
const LONGEST_LOOK_MS = 600_000;
const ANSWER_MS = 10_000;

/** For runtimes without a session's storage. */
let inMemory = "";

export function rememberWorking(name: string): void {
  store(`${name} ${Date.now()}`);
}

export function forgetWorking(): void {
  store("");
}

export function wasWorking(name: string): boolean {
  let text = inMemory;
  quietly(() => {
    text = sessionStorage.getItem(KEY) ?? text;
  });
  const [last, at] = text.split(" ");
  return last === name && Date.now() - Number(at) < REMEMBERED_MS;
}

function store(text: string): void {
  inMemory = text;
  quietly(() => sessionStorage.setItem(KEY, text));
}

/**
 * Tries the first of the transports from time to time. It works when something comes back: proxies that open a WebSocket and let nothing
 * through are the reason for all this. Returns what ends it.
 */
export function findBetter(
  { url, better: [transport] = [], WebSocket }: TransportRequest,
  found: () => void,
  firstLookMs = FIRST_LOOK_MS,
): () => void {
  if (!transport) return () => {};
  let pauseMs = firstLookMs;
  let timer: ReturnType<typeof setTimeout>;
  let socket: TransportSocket | undefined;
  const wait = () => {
    // In a hidden tab nobody waits for it.
    timer = setTimeout(() => (globalThis.document?.hidden ? wait() : look()), pauseMs);
    pauseMs = Math.min(2 * pauseMs, LONGEST_LOOK_MS);
  };
  const end = () => {
    clearTimeout(timer);
    socket?.close();
    socket = undefined;
  };
  const failed = () => {
    end();
    wait();
  };
  const look = () => {
    timer = setTimeout(failed, ANSWER_MS);
    socket = transport.open({
      ...{ url, WebSocket },
      // Whatever the server says to it.
      onOpen: () => socket?.send('{"event":"ping"}'),
      onFrame: () => {
        end();
        wait();
        found();
      },
      onClose: failed,
    });
  };
  wait();
  return end;
}

function quietly(run: () => void): void {
  try {
    run();
  } catch {
    // There is no storage, it is full, or forbidden.
  }
}
