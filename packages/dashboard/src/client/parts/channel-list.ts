/** The list of channels, with those first in which most is said: which these are the nodes tell, who is in them the server answers. */

import type { ChannelList } from "fanfare/wire/admin";
import { useEffect, useRef, useState } from "preact/hooks";
import { path } from "../api.ts";
import { overview } from "../overview.ts";
import { chosenApp } from "../route.ts";
import { useAnswer } from "./answer.ts";
import type { ChannelRates } from "./channel-rates.ts";

const EVERY_MS = 5_000;
/** The server looks at each channel for an answer, app by app: where there are very many, less often. */
const MANY = 20_000;
const MANY_APPS = 50;
const EVERY_MS_OF_MANY = 20_000;
/** An address has no room for more. */
const MOST_FIRST = 20;

type Question = Readonly<Record<string, string | number | undefined>>;
type By = "in" | "out" | undefined;

/** Of the chosen app, or of all. What was there stays until the same question is answered in another order. */
export function useChannelList(
  question: Question,
  rates?: ChannelRates,
  by?: By,
  app = chosenApp.value,
  oftenMs = EVERY_MS,
) {
  const before = useRef<{ readonly asked: string; readonly data: ChannelList } | undefined>(undefined);
  const isOfManyApps = app === undefined && (overview.value?.apps.length ?? 0) > MANY_APPS;
  const everyMs = isOfManyApps || (before.current?.data.matching ?? 0) > MANY ? EVERY_MS_OF_MANY : oftenMs;
  const first = useBusiest(rates, by, everyMs);
  const parts = app === undefined ? ["channels"] : ["apps", app, "channels"];
  const asked = path(parts, question);
  const answer = useAnswer<ChannelList>(path(parts, { ...question, first }), everyMs);
  if (answer.data) before.current = { asked, data: answer.data };
  const kept = before.current?.asked === asked ? before.current.data : undefined;
  return { ...answer, data: answer.data ?? kept };
}

/** The busiest channels, chosen anew every few seconds so that rows stay long enough to be read. */
function useBusiest(rates: ChannelRates | undefined, by: By, everyMs: number): readonly string[] {
  const [first, put] = useState<readonly string[]>([]);
  useEffect(() => {
    if (!rates || by === undefined) return put([]);
    let next: ReturnType<typeof setTimeout> | undefined;
    const choose = () => {
      const busiest = rates.busiest(by, Date.now()).slice(0, MOST_FIRST);
      put((before) => (busiest.join("\n") === before.join("\n") ? before : busiest));
      // Until the first are told, nobody has to wait for the next turn.
      next = setTimeout(choose, busiest.length > 0 ? everyMs : 1_000);
    };
    choose();
    return () => clearTimeout(next);
  }, [rates, by, everyMs]);
  return first;
}
