/** Gives the client to the app. */

import { createClient } from "@fanfare/client";
import { fanfare } from "@fanfare/client/vue";
import { createApp } from "vue";
import Board from "./Board.vue";

const client = createClient({ url: () => fetch("/socket").then((answer) => answer.text()) });
createApp(Board).use(fanfare(client)).mount("#app");
