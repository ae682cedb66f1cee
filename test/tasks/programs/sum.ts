/** A task as a module: adds up, with the help of a module of its own. */

import { plus } from "./plus.ts";

export interface Numbers {
  readonly numbers: readonly number[];
}

export default async function sum({ numbers }: Numbers): Promise<number> {
  await Bun.sleep(1);
  return numbers.reduce(plus, 0);
}
