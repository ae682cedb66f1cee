/** Puts the board into the page. */

import { mount } from "svelte";
import Board from "./Board.svelte";

mount(Board, { target: document.querySelector("#app") as HTMLElement });
