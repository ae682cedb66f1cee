/** @jsxImportSource react */
/** The stage in React, in StrictMode. Also imported on the server, where it only renders. */

import {
  FanfareProvider,
  useChannel,
  useConnection,
  useEvent,
  useEvents,
  useLive,
  useMembers,
} from "@fanfare/client/react";
import * as React from "react";
import { type ReactNode, StrictMode, Suspense, useState } from "react";
import { flushSync } from "react-dom";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import type { Part, Scene, StageWindow } from "../stage.ts";
import { client, counts, cut, liveOptions, textOf } from "./client.ts";

function Connection({ id }: Part) {
  return <p id={id}>{useConnection().state}</p>;
}

function ChannelState({ id, name = null }: Part) {
  return <p id={id}>{useChannel(name).state}</p>;
}

function Event({ id, name = null, label = "", rewind = false }: Part) {
  const [heard, setHeard] = useState("");
  useEvent(name, "said", (data) => setHeard((before) => `${before}${label}${data} `), { rewind });
  return <p id={id}>{heard.trim()}</p>;
}

function Events({ id, name = null, rewind = false }: Part) {
  return <p id={id}>{textOf(useEvents(name, "said", { keep: 1_000, rewind }))}</p>;
}

function Members({ id, name = null }: Part) {
  return (
    <p id={id}>
      {useMembers(name)
        .members.map((member) => member.id)
        .join(" ")}
    </p>
  );
}

function Live({ id, name = null, suspense = false }: Part) {
  // Written inline: another object with each render.
  const { value, status } = useLive(name, { ...liveOptions, suspense });
  return <p id={id}>{`${status}: ${value?.join(" ")}`}</p>;
}

function Fallback() {
  React.useEffect(() => {
    counts.fallbacks++;
  }, []);
  return <p id="fallback">waiting</p>;
}

const KINDS = {
  connection: Connection,
  channel: ChannelState,
  event: Event,
  events: Events,
  members: Members,
  live: Live,
};

function Background({ isHidden, children }: { isHidden: boolean; children: ReactNode }) {
  // React 18 has none.
  const { Activity } = React as { Activity?: typeof React.Activity };
  return Activity ? <Activity mode={isHidden ? "hidden" : "visible"}>{children}</Activity> : children;
}

export function Stage({ parts, isHidden = false }: Scene) {
  return (
    <StrictMode>
      <FanfareProvider client={client}>
        <Background isHidden={isHidden}>
          <Suspense fallback={<Fallback />}>
            {parts.map((part) => {
              const Kind = KINDS[part.kind];
              return <Kind key={part.id} {...part} />;
            })}
          </Suspense>
        </Background>
      </FanfareProvider>
    </StrictMode>
  );
}

if (typeof document !== "undefined") {
  const element = document.querySelector("#root") as HTMLElement;
  let root: Root | undefined;
  Object.assign(window, {
    render(scene: Scene) {
      if (root) root.render(<Stage {...scene} />);
      else if (element.hasChildNodes()) root = hydrateRoot(element, <Stage {...scene} />);
      else {
        root = createRoot(element);
        root.render(<Stage {...scene} />);
      }
    },
    // At once: what is rendered in the same turn would be rendered in its place.
    unmount: () => flushSync(() => root?.render(null)),
    cut,
    counts,
    get loads() {
      return counts.loads;
    },
  } satisfies StageWindow & { counts: typeof counts });
}
