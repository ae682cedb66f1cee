/** Ends what a test started: with the test when called inside one (or in beforeEach), with the file at its top level. */

import { afterAll, onTestFinished } from "bun:test";

/**
 * Do not call it in beforeAll: to Bun a hook is a test, and what it starts would end with it. A file that wants one server for
 * all its tests starts it at the top level: `const server = await startServer();`.
 */
export function atEnd(end: () => unknown): void {
  const finish = async () => {
    await end();
  };
  try {
    onTestFinished(finish);
  } catch {
    afterAll(finish);
  }
}
