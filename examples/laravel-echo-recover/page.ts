/** Two Echos behind one line: the first with `recover`, the second as Laravel's documentation has it. */

import { recover } from "@fanfare/client/pusher";
import Echo from "laravel-echo";
import Pusher from "pusher-js";
// A class that stays as it is, to compare with. A program of your own has one only.
import PlainPusher from "pusher-js/with-encryption";

recover(Pusher);

const { port } = await (await fetch("/line")).json();
const recovering = open(Pusher, "#recovering");
const note = document.querySelector("#note");
recovering
  .listen(".fanfare:recovered", () => note?.replaceChildren("Nothing was lost."))
  .listen(".fanfare:gap", () => note?.replaceChildren("More was missed than is kept: reload what you show."));
open(PlainPusher, "#plain");

function open(Class: typeof Pusher, place: string) {
  const echo = new Echo({
    broadcaster: "reverb",
    Pusher: Class,
    key: "shop-key",
    wsHost: location.hostname,
    wsPort: port,
    forceTLS: false,
    enabledTransports: ["ws", "wss"],
  });
  return echo.channel("numbers").listen("Counted", ({ number }: { number: number }) => {
    document.querySelector(place)?.append(`${number} `);
  });
}

for (const action of ["cut", "mend"]) {
  document.querySelector(`#${action}`)?.addEventListener("click", () => fetch(`/${action}`, { method: "POST" }));
}
