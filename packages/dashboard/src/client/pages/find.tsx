/** An address that names a channel, a user or a connection without its app: the app that has it is found. */

import type { ChannelList, PeopleList } from "fanfare/wire/admin";
import { useEffect } from "preact/hooks";
import { path } from "../api.ts";
import { useAnswer } from "../parts/answer.ts";
import { Empty, Waiting } from "../parts/notes.tsx";
import { Head } from "../parts/small.tsx";
import { useLate, useWatch } from "../parts/watch.ts";
import { change, place } from "../route.ts";

const NOWHERE: Readonly<Record<string, string>> = {
  channel: "No app has this channel",
  user: "Nobody of this id is connected",
  connection: "No node has this connection",
};

export function Find() {
  const { page, params } = place.value;
  const search = params.name ?? params.id ?? "";
  const isLate = useLate(search);
  const channels = useAnswer<ChannelList>(page === "channel" ? path(["channels"], { search }) : undefined).data;
  const people = useAnswer<PeopleList>(page === "user" ? path(["people"], { search }) : undefined).data;
  const app =
    channels?.channels.find(({ name }) => name === search)?.app ?? people?.people.find(({ id }) => id === search)?.app;
  useEffect(() => {
    if (app !== undefined) change({ app });
  }, [app]);
  useWatch(page === "connection" ? { type: "connections", search } : undefined, "connections", ({ connections }) => {
    const found = connections.find(({ id }) => id === search);
    if (found) change({ app: found.app });
  });
  return (
    <>
      <Head title={search} />
      {isLate || ((channels || people) && app === undefined) ? (
        <Empty title={NOWHERE[page] ?? "There is no such thing"}>
          It is there as long as somebody is connected, and a client that comes back has another connection.
        </Empty>
      ) : (
        <Waiting what="Asking every node" />
      )}
    </>
  );
}
