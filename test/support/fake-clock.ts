/** The system's clock as a process sees it, moved by a file. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { external } from "./external.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export interface FakeClock {
  /** The environment of the process that is to see it. */
  readonly env: Readonly<Record<string, string>>;
  /** By that much from the real time. */
  set(seconds: number): void;
}

export function fakeClock(): FakeClock {
  const file = join(temporaryFolder(), "offset");
  const set = (seconds: number) => writeFileSync(file, `${seconds < 0 ? "" : "+"}${seconds}\n`);
  set(0);
  return {
    env: {
      LD_PRELOAD: external("libfaketime"),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    set,
  };
}
