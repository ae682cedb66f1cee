/** Hears what comes over the live connection as long as the part of the page that asks is there. */

import type { LiveEvents, Watch } from "fanfare/wire/admin";
import { useEffect, useRef, useState } from "preact/hooks";
import { live } from "../live.ts";

/** Undefined watches nothing. Two watches with the same content are the same. */
export function useWatch<K extends keyof LiveEvents>(
  watch: Watch | undefined,
  name: K,
  hear: (data: LiveEvents[K]) => void,
): void {
  useWatches(watch === undefined ? [] : [watch], name, hear);
}

/** Several that belong together, such as one for each app. */
export function useWatches<K extends keyof LiveEvents, W extends Watch>(
  watches: readonly W[],
  name: K,
  hear: (data: LiveEvents[K], watch: W) => void,
): void {
  const latest = useRef(hear);
  latest.current = hear;
  useEffect(() => {
    const ends = watches.map((watch) => live.watch(watch, name, (data) => latest.current(data, watch)));
    return () => {
      for (const end of ends) end();
    };
  }, [JSON.stringify(watches), name]);
}

/** The value, once it has not changed for a while: nobody is asked at every key. */
export function useSettled<T>(value: T, afterMs = 250): T {
  const [settled, settle] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => settle(value), afterMs);
    return () => clearTimeout(timer);
  }, [value, afterMs]);
  return settled;
}
