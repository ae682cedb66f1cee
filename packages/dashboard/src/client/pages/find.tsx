/** An address that names a channel or a connection without its app: the app that has it is found. */

import type { ChannelList } from "fanfare/wire/admin";
import { useEffect, useState } from "preact/hooks";
import { path } from "../api.ts";
import { appsInScope } from "../overview.ts";
import { useAnswers } from "../parts/answer.ts";
import { Empty, Waiting } from "../parts/notes.tsx";
import { Head } from "../parts/small.tsx";
import { useWatches } from "../parts/watch.ts";
import { change, place } from "../route.ts";

/** As long as a node may take to tell of a connection that it has. */
const PATIENCE_MS = 6_000;

export function Find() {
  const { page, params } = place.value;
  const name = params.name ?? params.id ?? "";
  const isLate = useIsLate();
  const apps = appsInScope.value;
  const isChannel = page === "channel";
  const paths = apps?.map((app) => path(["apps", app, "channels"], { search: name }));
  const { data } = useAnswers<ChannelList>(isChannel ? paths : undefined);
  const at = data?.findIndex(({ channels }) => channels.some((channel) => channel.name === name)) ?? -1;
  useEffect(() => {
    if (at >= 0) change({ app: apps?.[at] });
  }, [at]);
  const watches =
    page === "connection" ? (apps ?? []).map((app) => ({ type: "connection", app, id: name }) as const) : [];
  useWatches(watches, "connection", ({ connection }, { app }) => {
    if (connection) change({ app });
  });
  return (
    <>
      <Head title={name} />
      {isLate || (isChannel && data && at < 0) ? (
        <Empty title={isChannel ? "No app has this channel" : "No node has this connection"}>
          {isChannel
            ? "A channel is there as long as somebody is subscribed to it."
            : "It has probably ended: a client that comes back has another id."}
        </Empty>
      ) : (
        <Waiting what="Asking every node" />
      )}
    </>
  );
}

function useIsLate(): boolean {
  const [isLate, set] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => set(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  return isLate;
}
