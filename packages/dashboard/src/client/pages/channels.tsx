/** The channels of one app or of all: who is in how many, how much is said in which, and those of a pattern together. */

import { CHANNEL_KINDS, type ChannelEntry, type ChannelKindFilter, type ChannelList } from "fanfare/wire/admin";
import type { ComponentChildren } from "preact";
import type { Refused } from "../api.ts";
import { appName } from "../overview.ts";
import { useChannelList } from "../parts/channel-list.ts";
import { keyOf, RATE_OVER_S, useChannelRates } from "../parts/channel-rates.ts";
import { ChannelName, HistoryWords, LastEvent, RateLine } from "../parts/channel-words.tsx";
import { Icon } from "../parts/icon.tsx";
import { Empty, Failure, Waiting } from "../parts/notes.tsx";
import { Head, Search } from "../parts/small.tsx";
import { useSettled } from "../parts/watch.ts";
import { change, chosenApp, place, to } from "../route.ts";
import { count, plural, rateText } from "../show.ts";

const A_PAGE = 100;
const OF_A_PATTERN = 5;

type Sort = "in" | "out" | "subscribers" | "name";

const KIND_NAMES: Readonly<Record<ChannelKindFilter, string>> = {
  public: "Public",
  private: "Private",
  presence: "Presence",
  encrypted: "Encrypted",
  cache: "Cache",
};

export function Channels() {
  const app = chosenApp.value;
  const { search = "", kind = "", group, offset = "0" } = place.value.params;
  const sort = sortOf(place.value.params.sort);
  const counted = useChannelRates(app === undefined ? {} : { app });
  const settled = useSettled(search);
  const isGrouped = group !== "no";
  const { data, error, reload } = useChannelList(
    { search: settled, kind, sort: orderOf(sort), group: isGrouped ? "pattern" : undefined, offset, limit: A_PAGE },
    counted.rates,
    rateOf(sort),
  );
  const apps = app === undefined ? "all apps" : appName(app);
  return (
    <>
      <Head title="Channels" lead={`${apps}, live`}>
        <Search
          isFirst
          label="Filter channels, * for any characters"
          value={search}
          onInput={(value) => change({ search: value, offset: undefined })}
        />
        <Kinds kinds={data?.kinds} matching={data?.matching} chosen={kind} />
        <label class="check">
          <input
            type="checkbox"
            checked={isGrouped}
            onChange={() => change({ group: isGrouped ? "no" : undefined, offset: undefined })}
          />
          Group by pattern
        </label>
      </Head>
      <Listed data={data} error={error} retry={reload} isFiltered={settled !== "" || kind !== ""}>
        {(list) => <ChannelTable list={list} sort={sort} counted={counted} isOfAll={app === undefined} />}
      </Listed>
      {data && data.channels.length > 0 && <Pages list={data} offset={Number(offset)} />}
    </>
  );
}

interface ListedProps {
  readonly data: ChannelList | undefined;
  readonly error: Refused | undefined;
  readonly retry: () => void;
  readonly isFiltered: boolean;
  readonly children: (list: ChannelList) => ComponentChildren;
}

function Listed({ data, error, retry, isFiltered, children }: ListedProps) {
  return (
    <>
      <Failure error={error} retry={retry} />
      {!data && !error && <Waiting />}
      {data?.channels.length === 0 && <NoChannels isFiltered={isFiltered} />}
      {data && data.channels.length > 0 && children(data)}
    </>
  );
}

function NoChannels({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered) {
    return (
      <Empty title="No channel matches">
        Names are case-sensitive, and a channel is listed while somebody is subscribed to it.
        <p>
          <button type="button" onClick={() => change({ search: undefined, kind: undefined, offset: undefined })}>
            Clear the filter
          </button>
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No channels yet">
      A channel appears here as soon as a client subscribes to it, and goes when the last one leaves.
    </Empty>
  );
}

function sortOf(wanted: string | undefined): Sort {
  return wanted === "out" || wanted === "subscribers" || wanted === "name" ? wanted : "in";
}

/** By what the server puts those in order in which nothing is said. */
function orderOf(sort: Sort): "subscribers" | "name" {
  return sort === "name" ? "name" : "subscribers";
}

/** By which rate. */
function rateOf(sort: Sort): "in" | "out" | undefined {
  return sort === "in" || sort === "out" ? sort : undefined;
}

interface KindsProps {
  readonly kinds: ChannelList["kinds"] | undefined;
  readonly matching: number | undefined;
  readonly chosen: string;
}

function Kinds({ kinds, matching, chosen }: KindsProps) {
  const all = [
    ["", "All", matching] as const,
    ...CHANNEL_KINDS.map((it) => [it, KIND_NAMES[it], kinds?.[it]] as const),
  ];
  return (
    <fieldset class="segment" aria-label="Kind">
      {all.map(([kind, name, number]) => (
        <button
          key={kind}
          type="button"
          aria-pressed={kind === chosen}
          onClick={() => change({ kind: kind || undefined, offset: undefined })}
        >
          {name} {number !== undefined && <small>{count(number)}</small>}
        </button>
      ))}
    </fieldset>
  );
}

interface TableProps {
  readonly list: ChannelList;
  readonly sort: Sort;
  readonly counted: ReturnType<typeof useChannelRates>;
  readonly isOfAll: boolean;
}

function ChannelTable({ list, sort, counted, isOfAll }: TableProps) {
  const { open } = place.value.params;
  return (
    <div class="table">
      <table class="channels">
        <thead>
          <tr>
            <Column by="name" name="Channel" sort={sort} />
            {isOfAll && (
              <th scope="col" class="wide">
                App
              </th>
            )}
            <th scope="col" class="wide">
              Kind
            </th>
            <Column by="subscribers" name="Subscribers" look="number" sort={sort} />
            <th scope="col" class="number wide">
              Members
            </th>
            <th scope="col" class="wide">
              Last 5 min
            </th>
            <Column by="in" name="In/s" look="number" sort={sort} />
            <Column by="out" name="Out/s" look="number wide" sort={sort} />
            <th scope="col" class="roomy">
              History
            </th>
            <th scope="col" class="roomy">
              Last event
            </th>
          </tr>
        </thead>
        <tbody>
          {list.channels.flatMap((entry) => {
            const key = keyOf(entry.app, entry.name);
            const isOpen = entry.channels !== undefined && open === key;
            const row = <Row key={key} entry={entry} counted={counted} isOfAll={isOfAll} isOpen={isOpen} />;
            if (!isOpen) return [row];
            return [row, <OfPattern key={`in ${key}`} entry={entry} sort={sort} counted={counted} isOfAll={isOfAll} />];
          })}
        </tbody>
      </table>
    </div>
  );
}

interface ColumnProps {
  readonly by: Sort;
  readonly name: string;
  readonly look?: string;
  readonly sort: Sort;
}

function Column({ by, name, look, sort }: ColumnProps) {
  const isChosen = by === sort;
  const order = by === "name" ? "ascending" : "descending";
  return (
    <th scope="col" class={look} aria-sort={isChosen ? order : undefined}>
      <button
        type="button"
        class="sort"
        onClick={() => change({ sort: by === "in" ? undefined : by, offset: undefined })}
      >
        {name}
        {isChosen && <span aria-hidden="true">{by === "name" ? " ↑" : " ↓"}</span>}
      </button>
    </th>
  );
}

interface RowProps {
  readonly entry: ChannelEntry;
  readonly counted: ReturnType<typeof useChannelRates>;
  readonly isOfAll: boolean;
  readonly isOpen?: boolean;
  readonly isInside?: boolean;
}

function Row({ entry, counted: { rates, nowMs }, isOfAll, isOpen = false, isInside = false }: RowProps) {
  const { app, kind, subscribers, users, channels } = entry;
  const rate = rates.of(entry, nowMs);
  return (
    <tr class={isInside ? "inside" : undefined}>
      <th scope="row">
        <span class="channel-cell">
          {channels === undefined ? <span class="twisty" /> : <Twisty entry={entry} isOpen={isOpen} />}
          <ChannelName channel={entry} />
        </span>
      </th>
      {isOfAll && <td class="wide">{appName(app)}</td>}
      <td class="wide">{kindName(entry, kind)}</td>
      <td class="number">{count(subscribers)}</td>
      <td class="number wide">{users === undefined ? "–" : count(users)}</td>
      <td class="wide spark-cell">
        <RateLine rate={rate} />
      </td>
      <td class="number">{rateText(rate.in)}</td>
      <td class="number wide">{rateText(rate.out)}</td>
      <td class="roomy">
        <HistoryWords channel={entry} />
      </td>
      <td class="roomy">
        <LastEvent rate={rate} />
      </td>
    </tr>
  );
}

function kindName({ encrypted, cache }: ChannelEntry, kind: string): string {
  if (encrypted) return "encrypted";
  if (!cache) return kind;
  return kind === "public" ? "cache" : `${kind}, cache`;
}

function Twisty({ entry: { app, name }, isOpen }: { entry: ChannelEntry; isOpen: boolean }) {
  return (
    <button
      type="button"
      class="quiet twisty"
      aria-expanded={isOpen}
      aria-label={`Channels of ${name}`}
      onClick={() => change({ open: isOpen ? undefined : keyOf(app, name) })}
    >
      <Icon name="right" isSmall />
    </button>
  );
}

interface OfPatternProps {
  readonly entry: ChannelEntry;
  readonly sort: Sort;
  readonly counted: ReturnType<typeof useChannelRates>;
  readonly isOfAll: boolean;
}

/** Its first few: the busiest, then the largest. */
function OfPattern({ entry: { app, name, channels = 0 }, sort, counted, isOfAll }: OfPatternProps) {
  const { data, error, reload } = useChannelList(
    { pattern: name, limit: OF_A_PATTERN },
    counted.rates,
    rateOf(sort),
    app,
  );
  return (
    <>
      {data?.channels.map((one) => (
        <Row key={one.name} entry={one} counted={counted} isOfAll={isOfAll} isInside />
      ))}
      <tr class="inside">
        <td colSpan={10}>
          <Failure error={error} retry={reload} />
          {channels > OF_A_PATTERN && (
            <a href={to("channels", { search: name, group: "no", open: undefined })}>Show all {count(channels)}</a>
          )}
        </td>
      </tr>
    </>
  );
}

function inApps(channels: readonly ChannelEntry[]): string {
  const apps = new Set(channels.map(({ app }) => app)).size;
  return apps > 1 ? ` in ${plural(apps, "app")}` : "";
}

function Pages({ list: { total, matching, channels }, offset }: { list: ChannelList; offset: number }) {
  const isAll = channels.length >= total;
  const turn = (by: number) => change({ offset: String(Math.max(0, offset + by)) });
  return (
    <p class="more pages">
      <span>
        {isAll
          ? `${plural(matching, "channel")}${inApps(channels)}`
          : `${count(offset + 1)}–${count(offset + channels.length)} of ${count(total)}`}
        {` · rates are of all nodes, averaged over ${RATE_OVER_S} s, of the busiest channels`}
      </span>
      <span class="grow" />
      {!isAll && (
        <>
          <button type="button" disabled={offset === 0} onClick={() => turn(-A_PAGE)}>
            Previous
          </button>
          <button type="button" disabled={offset + channels.length >= total} onClick={() => turn(A_PAGE)}>
            Next
          </button>
        </>
      )}
    </p>
  );
}
