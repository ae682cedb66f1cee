/**
 * `fanfare serve`, killed at one step of reading an outbox: `DIES_AT` names it. It dies the second time, so that the rows before
 * have gone all the way.
 */

import { main } from "../../../packages/server/src/cli/main.ts";
import { Hub } from "../../../packages/server/src/hub/hub.ts";
import { RowPublisher } from "../../../packages/server/src/outbox/publish-rows.ts";
import { OutboxSource } from "../../../packages/server/src/outbox/source.ts";

const step = process.env.DIES_AT;
let times = 0;

function die(): void {
  if (++times > 1) process.kill(process.pid, "SIGKILL");
}

const { next, remove } = OutboxSource.prototype;
const { forget } = RowPublisher.prototype;
const { publish } = Hub.prototype;

/** Only batches of rows count: an empty table is asked all the time. */
OutboxSource.prototype.next = async function (...args) {
  const rows = await next.apply(this, args);
  if (rows.length > 0 && step === "read") die();
  return rows;
};
Hub.prototype.publish = function (...args) {
  const published = publish.apply(this, args);
  // In the middle of a batch, and before its answer is there.
  if (step === "publishing" && args[2] !== undefined) setImmediate(die);
  return published;
};
OutboxSource.prototype.remove = async function (rows) {
  if (rows.length > 0 && step === "published") die();
  await remove.call(this, rows);
};
RowPublisher.prototype.forget = function (published) {
  if (published.length > 0 && step === "deleted") die();
  forget.call(this, published);
};

process.exit(await main(process.argv.slice(2)));
