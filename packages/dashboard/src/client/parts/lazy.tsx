/** Pages that are fetched when somebody goes to them or some time later, so that the first load stays small. */

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Empty, Waiting } from "./notes.tsx";

const loads: (() => Promise<unknown>)[] = [];

/** Fetches what nobody has gone to yet, one after the other: then the pages are there also while the server is away. */
export async function loadTheRest(): Promise<void> {
  for (const load of loads) await load().catch(() => {});
}

export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let loaded: ComponentType<P> | undefined;
  loads.push(load);
  return function Lazy(props: P) {
    const [state, put] = useState<"waiting" | "here" | "failed">(loaded ? "here" : "waiting");
    useEffect(() => {
      if (loaded) return;
      load().then(
        (page) => {
          loaded = page;
          put("here");
        },
        () => put("failed"),
      );
    }, []);
    const Page = loaded;
    if (Page && state === "here") return <Page {...props} />;
    if (state === "waiting") return <Waiting />;
    // A server of another version has no such file any more, and a browser does not ask again for one that was missing.
    return (
      <Empty title="This page could not be loaded">
        <p>The server is away, or has another version now.</p>
        <button type="button" onClick={() => location.reload()}>
          Reload
        </button>
      </Empty>
    );
  };
}
