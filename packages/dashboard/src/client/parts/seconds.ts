/** The numbers of the last minutes by the second, of every node: what the nodes have, and then what comes. */

import type { Point, Series } from "fanfare/wire/admin";
import { useEffect, useMemo, useState } from "preact/hooks";
import { call, path, type Refused, refusedBy } from "../api.ts";
import { overview } from "../overview.ts";
import { RANGES, Seconds } from "../pages/series.ts";
import { useWatch } from "./watch.ts";

interface LastSeconds {
  readonly points: readonly Point[];
  readonly seconds: Seconds;
  readonly error: Refused | undefined;
}

/** Of all apps where none is named. */
export function useSeconds(app: string | undefined): LastSeconds {
  const node = overview.value?.node.id;
  const seconds = useMemo(() => new Seconds(RANGES.live.lengthMs), [app]);
  const [points, put] = useState<readonly Point[]>([]);
  const [error, setError] = useState<Refused>();
  useEffect(() => {
    if (node === undefined) return;
    call<Series>("GET", path(["statistics"], { app, span: "second" }))
      .then(({ points: kept }) => {
        for (const point of kept) seconds.add({ node, point });
        put(seconds.points());
      })
      .catch((thrown) => setError(refusedBy(thrown)));
  }, [seconds, node]);
  const watch = { type: "seconds", ...(app ? { app } : {}) } as const;
  useWatch(watch, "earlier_seconds", ({ node, points: earlier }) => {
    for (const point of earlier) seconds.add({ node, point });
  });
  useWatch(watch, "seconds", (second) => {
    seconds.add(second);
    put(seconds.points());
  });
  return { points, seconds, error };
}
