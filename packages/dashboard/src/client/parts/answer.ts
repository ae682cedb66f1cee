/** What a call answered, asked for again every so often while somebody looks. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { call, type Refused, refusedBy } from "../api.ts";

export interface Answer<T> {
  /** The last good one, also while the server is away. */
  readonly data: T | undefined;
  /** Why the last call came to nothing. */
  readonly error: Refused | undefined;
  readonly reload: () => void;
}

interface Got<T> {
  readonly of: string | undefined;
  readonly data?: T;
  readonly error?: Refused;
}

/** Nothing is asked without a path. A page that nobody sees asks nothing until it is looked at again. */
export function useAnswer<T>(path: string | undefined, everyMs?: number): Answer<T> {
  const [got, put] = useState<Got<T>>({ of: path });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (path === undefined) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async () => {
      clearTimeout(timer);
      try {
        if (!document.hidden) put({ of: path, data: await call<T>("GET", path, undefined, abort.signal) });
      } catch (error) {
        if (abort.signal.aborted) return;
        put((before) => ({ ...(before.of === path ? before : { of: path }), error: refusedBy(error) }));
      }
      // Another may have been asked meanwhile: there is one next time, not two.
      clearTimeout(timer);
      if (everyMs !== undefined && !abort.signal.aborted) timer = setTimeout(ask, everyMs);
    };
    const seen = () => {
      if (!document.hidden && everyMs !== undefined) void ask();
    };
    void ask();
    document.addEventListener("visibilitychange", seen);
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [path, everyMs, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const isCurrent = got.of === path;
  return { data: isCurrent ? got.data : undefined, error: isCurrent ? got.error : undefined, reload };
}
