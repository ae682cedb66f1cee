/** The configurations of docs/from, run as a reader would run them. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { startProcess } from "../support/process.ts";
import { connectPusher, dialPusher } from "../support/pusher-client.ts";
import { blocksIn, folderWith } from "./guides.ts";

setDefaultTimeout(60_000);

const SHOP = { id: "shop", key: "shop-key", secret: "change-me" };

test.each(["laravel-websockets", "reverb", "soketi"])(
  "the configuration of %s's guide is one that the server runs with (B8)",
  async (guide) => {
    const cwd = folderWith({ "fanfare.config.ts": blocksIn(guide, "ts")[0] ?? "" });
    const { url } = await startProcess({ cwd, config: null });
    const headers = { Origin: "https://shop.example" };
    const client = await connectPusher(url, { app: SHOP, headers });
    await client.subscribe("private-orders");
    client.send("client-x", {}, "private-orders");
    const refused = guide === "reverb";
    if (refused) expect(await client.next("pusher:error")).toMatchObject({ event: "pusher:error" });
    else await client.ping();
    const elsewhere = await dialPusher(url, { app: SHOP, headers: { Origin: "https://evil.example" } });
    const { event } = await elsewhere.next();
    expect(event).toBe(guide === "reverb" ? "pusher:error" : "pusher:connection_established");
  },
);
