/** Charts of all statistics, from the last seconds to the last ninety days. */

import type { AppStatistics, Point, Series } from "fanfare/wire/admin";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { call, path, type Refused, refusedBy } from "../api.ts";
import { appName, has, overview } from "../overview.ts";
import { Chart, COUNT_STEPS, SIZE_STEPS } from "../parts/chart.tsx";
import { Empty, Failure, Waiting } from "../parts/notes.tsx";
import { useSeconds } from "../parts/seconds.ts";
import { Head, useNow } from "../parts/small.tsx";
import { change, chosenApp, place } from "../route.ts";
import { short, size } from "../show.ts";
import { themeKey } from "../theme.ts";
import { added, filled, isRange, RANGES, type RangeName } from "./series.ts";

interface Picture {
  readonly title: string;
  readonly lines: readonly (readonly [keyof AppStatistics, string])[];
  readonly isSize?: boolean;
}

const PICTURES: readonly Picture[] = [
  {
    title: "Connections",
    lines: [
      ["peakConnections", "peak"],
      ["connections", "current"],
    ],
  },
  {
    title: "Messages",
    lines: [
      ["messagesIn", "from clients"],
      ["messagesOut", "to clients"],
      ["apiMessages", "from back ends"],
    ],
  },
  {
    title: "Traffic",
    lines: [
      ["bytesIn", "in"],
      ["bytesOut", "out"],
    ],
    isSize: true,
  },
  {
    title: "Refused",
    lines: [
      ["subscribeFailures", "subscriptions"],
      ["authFailures", "sign-ins"],
    ],
  },
];

export function Charts() {
  const name = isRange(place.value.params.range) ? place.value.params.range : "live";
  return (
    <>
      <Head title="Insights" lead={chosenApp.value ? appName(chosenApp.value) : "All apps"}>
        <fieldset class="chips" aria-label="How long">
          {Object.keys(RANGES)
            .filter(isRange)
            .map((it) => (
              <button
                key={it}
                type="button"
                class="chip"
                aria-pressed={it === name}
                onClick={() => change({ range: it })}
              >
                {RANGES[it].name}
              </button>
            ))}
        </fieldset>
      </Head>
      {name === "live" ? <LiveCharts /> : <KeptCharts key={name} name={name} />}
    </>
  );
}

function LiveCharts() {
  const { points, error } = useSeconds(chosenApp.value);
  if (!has("seconds"))
    return <Empty title="Live numbers are off">The server is configured not to count by the second.</Empty>;
  return (
    <>
      <Failure error={error} />
      <Pictures name="live" points={points} unit="each second" />
    </>
  );
}

function KeptCharts({ name }: { name: Exclude<RangeName, "live"> }) {
  const { span, everyMs } = RANGES[name];
  const isThere = has("statistics");
  const apps = overview.value?.apps.map(({ id }) => id);
  const wanted = chosenApp.value ? [chosenApp.value] : apps;
  const { series, error, reload } = useSeries(isThere ? wanted : undefined, name, everyMs);
  const points = useMemo(() => (series ? filled(series, Date.now()) : []), [series]);
  if (!isThere) {
    return (
      <Empty title="No statistics are kept here">
        With a database they are: set <code>database.url</code>. The live charts need none.
      </Empty>
    );
  }
  const unit = { interval: "each interval", hour: "each hour", day: "each day" }[span];
  return (
    <>
      <Failure error={error} retry={reload} />
      {!series && !error && <Waiting />}
      {series?.points.length === 0 && (
        <Empty title="Nothing was counted in this time">
          What happens now is counted, and is here after the first interval.
        </Empty>
      )}
      {points.length > 0 && <Pictures name={name} points={points} unit={unit} />}
    </>
  );
}

/** Of one app, or of several added up. */
function useSeries(apps: readonly string[] | undefined, name: RangeName, everyMs: number) {
  const [series, put] = useState<Series>();
  const [error, setError] = useState<Refused>();
  const [turn, setTurn] = useState(0);
  const key = apps?.join("\n");
  useEffect(() => {
    if (apps === undefined) return;
    const abort = new AbortController();
    const { span, lengthMs } = RANGES[name];
    const ask = async () => {
      const to = Date.now();
      const one = (app: string) =>
        call<Series>("GET", path(["statistics"], { app, span, from: to - lengthMs, to }), undefined, abort.signal);
      try {
        const all = await Promise.all(apps.map(one));
        put(added(all));
        setError(undefined);
      } catch (thrown) {
        if (!abort.signal.aborted) setError(refusedBy(thrown));
      }
    };
    void ask();
    const timer = setInterval(ask, everyMs);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [key, name, turn]);
  return { series, error, reload: () => setTurn(turn + 1) };
}

function Pictures({ name, points, unit }: { name: RangeName; points: readonly Point[]; unit: string }) {
  useNow(name === "live" ? 1_000 : 30_000);
  const times = useMemo(() => points.map(({ atMs }) => atMs / 1000), [points]);
  const end = useRef(0);
  end.current = Math.max(times.at(-1) ?? 0, Date.now() / 1000 - (name === "live" ? 2 : 0));
  const range = [end.current - RANGES[name].lengthMs / 1000, end.current] as const;
  const pictures = useMemo(
    () =>
      PICTURES.map(({ title, lines, isSize }) => ({
        title,
        show: isSize ? size : short,
        steps: isSize ? SIZE_STEPS : COUNT_STEPS,
        lines: lines.map(([of, label], index) => ({
          label,
          color: `--line-${index + 1}`,
          values: points.map((point) => point[of]),
        })),
      })),
    [points],
  );
  return (
    <>
      <div class="charts">
        {pictures.map(({ title, show, steps, lines }) => (
          <Chart
            key={title}
            title={title}
            times={times}
            lines={lines}
            range={range}
            show={show}
            steps={steps}
            theme={themeKey.value}
          />
        ))}
      </div>
      <p class="more">
        Messages, traffic and refusals are counted {unit}; connections are the most there were, and as many as there
        were at its end.
      </p>
    </>
  );
}
