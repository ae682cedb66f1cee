/** The channels in which most is sent, on the overview. */

import { appName } from "../overview.ts";
import { useChannelList } from "../parts/channel-list.ts";
import { keyOf, useChannelRates } from "../parts/channel-rates.ts";
import { ChannelName, RateLine } from "../parts/channel-words.tsx";
import { Failure } from "../parts/notes.tsx";
import { chosenApp, to } from "../route.ts";
import { count, rateText } from "../show.ts";

const SHOWN = 7;

export function Busiest() {
  const app = chosenApp.value;
  const { rates, nowMs } = useChannelRates(app === undefined ? {} : { app });
  const { data, error, reload } = useChannelList({ group: "pattern", limit: SHOWN }, rates, "out");
  const { channels = [], matching = 0 } = data ?? {};
  if (channels.length === 0 && !error) return null;
  return (
    <section class="card" aria-label="Busiest channels">
      <h2>
        Busiest channels <small>by messages delivered</small>
        <span class="grow" />
        <small>
          <a href={to("channels", { sort: "out" })}>All {count(matching)}</a>
        </small>
      </h2>
      <Failure error={error} retry={reload} />
      <div class="table">
        <table class="channels">
          <thead>
            <tr>
              <th scope="col">Channel</th>
              {app === undefined && (
                <th scope="col" class="wide">
                  App
                </th>
              )}
              <th scope="col" class="wide">
                Last 5 min
              </th>
              <th scope="col" class="number">
                In/s
              </th>
              <th scope="col" class="number">
                Out/s
              </th>
              <th scope="col" class="number wide">
                Subscribers
              </th>
            </tr>
          </thead>
          <tbody>
            {channels.map((entry) => {
              const { app: its, name } = entry;
              const rate = rates.of(entry, nowMs);
              return (
                <tr key={keyOf(its, name)}>
                  <th scope="row">
                    <span class="channel-cell">
                      <ChannelName channel={entry} />
                    </span>
                  </th>
                  {app === undefined && <td class="wide">{appName(its)}</td>}
                  <td class="wide spark-cell">
                    <RateLine rate={rate} />
                  </td>
                  <td class="number">{rateText(rate.in)}</td>
                  <td class="number">{rateText(rate.out)}</td>
                  <td class="number wide">{count(entry.subscribers)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
