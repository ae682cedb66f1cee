/**
 * A program with a server of several workers. Settings come in SETTINGS, as JSON. The first process prints `ready URL` and `api URL`;
 * signals tell it what to do: SIGUSR2 to push, to empty the channel "emptied" and to print the nodes, SIGWINCH to swap the workers, SIGHUP to reload
 * what is in the file RELOAD. While the file CRASH is there, workers end as soon as they start. The first process and the workers'
 * first print what they receive of the channel "followed".
 */

import { existsSync, readFileSync } from "node:fs";
import { type ConfigInput, createServer } from "../../../packages/server/src/index.ts";

const { SETTINGS = "{}", CRASH = "", RELOAD = "" } = process.env;
const settings: ConfigInput = JSON.parse(SETTINGS);
const server = createServer(settings);

if (!server.isPrimary && existsSync(CRASH)) process.exit(3);

server.handle("*", (_, data) => {
  const { ask, channel = "", text = "" } = data as { ask?: string; channel?: string; text?: string };
  if (ask === "say") return server.toChannel(channel).push({ event: "said", data: text } as never);
  return { pid: process.pid, worker: server.worker, isPrimary: server.isPrimary };
});
server.on("workerStart", ({ index, count }) => console.log(`started ${index} of ${count} in ${process.pid}`));
server.on("workerStart", ({ index }) => (index === 0 ? follow("worker") : undefined));
server.on("workerStop", ({ index }) => console.log(`stopping ${index}`));

async function follow(who: string): Promise<void> {
  await server.subscribe("followed", ({ event, data }) => console.log(`${who} hears ${event} ${JSON.stringify(data)}`));
  console.log(`${who} follows`);
}

await server.start();

if (server.isPrimary) {
  process.on("SIGTERM", () => void server.stop().then(() => console.log("all stopped")));
  process.on("SIGINT", () => void server.stop().then(() => console.log("all stopped")));
  process.on("SIGUSR2", async () => {
    await server.toChannel("room").push({ event: "said", data: "by the first process" } as never);
    await server.channel("emptied").kick();
    await server.channel("emptied").purgeHistory();
    const { nodes } = await server.status();
    const members = await server.members("presence-room");
    console.log(`told ${JSON.stringify({ nodes, members, worker: server.worker ?? null })}`);
  });
  process.on("SIGWINCH", () =>
    server.replaceWorkers().then(
      () => console.log("swapped"),
      (error) => console.log(`not swapped: ${error.message}`),
    ),
  );
  await follow("primary");
  process.on("SIGHUP", () =>
    server.reload({ ...settings, ...JSON.parse(readFileSync(RELOAD, "utf8")) }).then(
      (answer) => console.log(`reloaded ${JSON.stringify(answer)}`),
      (error) => console.log(`not reloaded: ${error.name} ${error.message}`),
    ),
  );
  console.log(`ready ${server.url}\napi ${server.apiUrl}`);
}
