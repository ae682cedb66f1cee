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
  const latest = useRef(hear);
  latest.current = hear;
  const key = watch === undefined ? undefined : JSON.stringify(watch);
  useEffect(() => {
    if (watch === undefined) return;
    return live.watch(watch, name, (data) => latest.current(data));
  }, [key, name]);
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

/** As long as a node may take to tell of a connection that it has. */
const PATIENCE_MS = 6_000;

/** Whether what is asked of every node, by this name, would have come by now. */
export function useLate(name: string): boolean {
  const [isLate, set] = useState(false);
  useEffect(() => {
    set(false);
    const timer = setTimeout(() => set(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [name]);
  return isLate;
}
