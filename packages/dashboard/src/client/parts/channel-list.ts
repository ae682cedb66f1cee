/** The list of channels, with those first in which most is said: which these are the nodes tell, who is in them the server answers. */

import type { ChannelList } from "fanfare/wire/admin";
import { useEffect, useRef, useState } from "preact/hooks";
import { path } from "../api.ts";
import { chosenApp } from "../route.ts";
import { useAnswer } from "./answer.ts";
import type { ChannelRates } from "./channel-rates.ts";

const EVERY_MS = 5_000;
/** An address has no room for more. */
const MOST_FIRST = 20;

/** The busiest channels, chosen anew every few seconds so that rows stay long enough to be read. */
export function useBusiest(rates: ChannelRates, by: "in" | "out" | undefined): readonly string[] {
  const [first, put] = useState<readonly string[]>([]);
  useEffect(() => {
    if (by === undefined) return put([]);
    let soon: ReturnType<typeof setTimeout> | undefined;
    const choose = () => {
      const busiest = rates.busiest(by, Date.now()).slice(0, MOST_FIRST);
      put((before) => (busiest.join("\n") === before.join("\n") ? before : busiest));
      // Until the first are told, nobody has to wait for the next turn.
      soon = setTimeout(choose, busiest.length > 0 ? EVERY_MS : 1_000);
    };
    choose();
    return () => clearTimeout(soon);
  }, [rates, by]);
  return first;
}

type Question = Readonly<Record<string, string | number | undefined>>;

/** Of the chosen app, or of all. What was there stays until the same question is answered in another order. */
export function useChannelList(
  question: Question,
  first: readonly string[],
  app = chosenApp.value,
  everyMs = EVERY_MS,
) {
  const parts = app === undefined ? ["channels"] : ["apps", app, "channels"];
  const asked = path(parts, question);
  const answer = useAnswer<ChannelList>(path(parts, { ...question, first }), everyMs);
  const before = useRef<{ readonly asked: string; readonly data: ChannelList } | undefined>(undefined);
  if (answer.data) before.current = { asked, data: answer.data };
  const kept = before.current?.asked === asked ? before.current.data : undefined;
  return { ...answer, data: answer.data ?? kept };
}
