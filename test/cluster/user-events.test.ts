/** What is sent to a user reaches each of the user's clients from sign-in on, once, on every engine. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { startBackend } from "../conformance/backend.ts";
import { type Client, connectClient } from "../conformance/pusher-js.ts";
import { EVERY_ENGINE, startPair } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { trigger } from "../support/pusher-client.ts";
import { APP } from "../support/server.ts";

setDefaultTimeout(120_000);

const CHANNEL = "#server-to-user-ada";

describe.each(EVERY_ENGINE)("on %s", (engine) => {
  test("pusher-js hears it once from signin_success on, before it has subscribed and after, also over reconnects", async () => {
    const [near, far] = await startPair(engine);
    const server = { port: Number(new URL(near.url).port) };
    const client = await connectClient(server, startBackend(server), { user: "ada" });
    const heard: unknown[] = [];
    client.pusher.user.bind("note", ({ n }: { n: number }) => heard.push(n));
    const subscribe = holdSubscribe(client);
    const expected: number[] = [];
    const tell = async (n: number) => {
      expected.push(n);
      await trigger(far.url, APP, { name: "note", channel: CHANNEL, data: JSON.stringify({ n }) });
      await eventually(() => expect(heard.at(-1)).toBe(n));
      expect(heard).toEqual(expected);
    };
    for (let round = 0; round < 3; round++) {
      if (round === 0) client.pusher.signin();
      else client.pusher.connect();
      await eventually(() => expect(subscribe.isHeld()).toBe(true));
      await tell(3 * round);
      await tell(3 * round + 1);
      subscribe.release();
      await eventually(() => expect(client.pusher.user.serverToUserChannel.subscribed).toBe(true));
      await tell(3 * round + 2);
      expect(client.errors).toEqual([]);
      client.pusher.disconnect();
      await eventually(() => expect(client.state).toBe("disconnected"));
    }
  });

  test("it comes after the answer to the sign-in, never before, and none twice, while it is sent all the time", async () => {
    const [near, far] = await startPair(engine);
    for (let round = 0; round < 8; round++) {
      const client = await near.pusher();
      const user = `u${round}`;
      const channel = `#server-to-user-${user}`;
      let isOver = false;
      let sent = 0;
      const sending = (async () => {
        while (!isOver) await trigger(far.url, APP, { name: "note", channel, data: String(sent++) });
      })();
      await client.signin({ id: user });
      await client.subscribe(channel);
      await client.next("note");
      isOver = true;
      await sending;
      const isNote = ({ event }: { event: string }) => event === "note";
      const numbers = () => client.socket.frames.filter(isNote).map(({ data }) => Number(data));
      await eventually(() => expect(numbers().at(-1)).toBe(sent - 1));
      const first = numbers()[0] ?? 0;
      expect(numbers()).toEqual(Array.from({ length: sent - first }, (_, n) => first + n));
      const at = (event: string) => client.socket.frames.findIndex((frame) => frame.event === event);
      expect(at("note")).toBeGreaterThan(at("pusher:signin_success"));
      await client.close();
    }
  });
});

/** As on a slow wire: what asks for the user's channel stays with the client until it is released. */
function holdSubscribe({ pusher }: Client) {
  const held: (() => void)[] = [];
  const send = pusher.send_event.bind(pusher);
  pusher.send_event = (event: string, data: unknown, channel?: string) => {
    if (event !== "pusher:subscribe") return send(event, data, channel);
    held.push(() => send(event, data, channel));
    return true;
  };
  const release = () => {
    for (const go of held.splice(0)) go();
  };
  return { isHeld: () => held.length > 0, release };
}
