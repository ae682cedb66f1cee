/** The ring behaves as an array of which the front is cut off, whatever is done to it in whatever order. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { Ring } from "../../packages/server/src/engines/shared/ring.ts";
import { settings } from "../properties/arbitraries.ts";

const steps = fc.array(
  fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ replace: fc.nat(60) }),
    fc.record({ drop: fc.integer({ min: -2, max: 50 }) }),
    fc.record({ from: fc.nat(60), to: fc.nat(60) }),
  ),
  { maxLength: 60 },
);

test("a ring has what an array would have", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const ring = new Ring<number>();
      const model: number[] = [];
      let pushed = 0;
      for (const step of all) {
        if ("push" in step) {
          for (let n = 0; n < step.push; n++) {
            ring.push(pushed);
            model.push(pushed++);
          }
        } else if ("replace" in step) {
          ring.replace(step.replace, pushed);
          if (step.replace < model.length) model[step.replace] = pushed++;
        } else if ("drop" in step) {
          ring.drop(step.drop);
          model.splice(0, Math.max(0, step.drop));
        } else expect(ring.slice(step.from, step.to)).toEqual(model.slice(step.from, step.to));
        expect(ring.length).toBe(model.length);
        expect(ring.slice()).toEqual(model);
        expect([0, model.length - 1, model.length].map((at) => ring.at(at))).toEqual(
          [0, model.length - 1, model.length].map((at) => (at < 0 ? undefined : model[at])),
        );
      }
    }),
    settings(500),
  );
});
