/**
 * The hub with the memory engine against a model of thirty lines: who is in which channel, who is a member of what, and who hears
 * what in which order. Random connections join, leave, publish, push and vanish; after all are gone nothing is left.
 */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Bench, bench, type FakeClient, settled } from "../support/fakes.ts";
import { settings } from "./arbitraries.ts";

const CHANNELS = ["public", "private-a", "presence-a", "presence-b", "cache-a"] as const;
type Name = (typeof CHANNELS)[number];
const MOST_CLIENTS = 6;

type Step =
  | { readonly do: "open" }
  | { readonly do: "close" | "ping"; readonly who: number }
  | { readonly do: "join"; readonly who: number; readonly channel: Name; readonly user: string }
  | { readonly do: "leave" | "publish"; readonly who: number; readonly channel: Name }
  | { readonly do: "push"; readonly channel: Name; readonly except: number };

const who = fc.nat(MOST_CLIENTS - 1);
const channel = fc.constantFrom(...CHANNELS);
const user = fc.constantFrom("u1", "u2", "__proto__");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ do: "open" } as const) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("close", "ping"), who }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("join" as const), who, channel, user }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("leave", "publish"), who, channel }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("push" as const), channel, except: who }) },
);

/** One client as the model sees it: where it is and as whom, and what it must have heard. */
interface Reader {
  readonly client: FakeClient;
  readonly places: Map<Name, string>;
  readonly heard: string[];
}

class Model {
  readonly readers: Reader[] = [];
  readonly kept = new Map<Name, string>();

  in(channel: Name): Reader[] {
    return this.readers.filter(({ places }) => places.has(channel));
  }

  users(channel: Name): string[] {
    return [...new Set(this.in(channel).map(({ places }) => places.get(channel) ?? ""))].sort();
  }

  tell(channel: Name, what: string, but?: Reader): void {
    for (const reader of this.in(channel)) if (reader !== but) reader.heard.push(`${channel} ${what}`);
  }

  join(reader: Reader, channel: Name, user: string): void {
    const isPresence = channel.startsWith("presence-");
    if (isPresence && !this.users(channel).includes(user)) this.tell(channel, `joined ${user}`);
    reader.places.set(channel, user);
    reader.heard.push(`${channel} subscribed${isPresence ? ` ${this.users(channel).join(",")}` : ""}`);
    if (channel === "cache-a") reader.heard.push(`${channel} ${this.kept.get(channel) ?? "missed"}`);
  }

  leave(reader: Reader, channel: Name): void {
    const user = reader.places.get(channel) ?? "";
    reader.places.delete(channel);
    if (channel.startsWith("presence-") && !this.users(channel).includes(user)) this.tell(channel, `left ${user}`);
  }
}

test("members, counts, listeners and order are what the model says after every step, and in the end nothing is left", async () => {
  let deliveries = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
      const [real, model] = [await bench(), new Model()];
      for (const [n, each] of steps.entries()) {
        await perform(real, model, each, n);
        await compare(real, model);
      }
      for (const reader of [...model.readers]) {
        deliveries += reader.heard.length;
        vanish(model, reader);
        await settled();
        await compare(real, model);
      }
      expectNothingLeft(real);
      await real.hub.stop();
    }),
    { ...settings(300), interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true },
  );
  expect(deliveries).toBeGreaterThan(3_000);
}, 90_000);

async function perform(real: Bench, model: Model, each: Step, n: number): Promise<void> {
  const reader = "who" in each ? model.readers[each.who] : undefined;
  if (each.do === "open") {
    if (model.readers.length < MOST_CLIENTS) model.readers.push({ client: real.open(), places: new Map(), heard: [] });
  } else if (each.do === "push") {
    await push(real, model, each, `event ${n}`);
  } else if (reader) {
    act(model, reader, each, `event client-${n}`);
  }
  await settled();
}

async function push(
  { hub, app }: Bench,
  model: Model,
  { channel, except }: Extract<Step, { do: "push" }>,
  what: string,
) {
  const left = model.readers[except];
  model.tell(channel, what, left);
  if (channel === "cache-a") model.kept.set(channel, what);
  const event = what.slice("event ".length);
  const base = { type: "event", app: app.id, channel, event, data: "{}" } as const;
  await hub.publish(app, left ? { ...base, except: [left.client.id] } : base);
}

function act(model: Model, reader: Reader, each: Exclude<Step, { do: "open" | "push" }>, what: string): void {
  const { client, places, heard } = reader;
  switch (each.do) {
    case "close":
      return vanish(model, reader);
    case "ping":
      heard.push("pong");
      return client.send({ type: "ping" });
    case "join":
      if (places.has(each.channel)) heard.push("refused already_subscribed");
      else model.join(reader, each.channel, each.user);
      return client.subscribe(
        each.channel,
        each.channel.startsWith("p") && each.channel !== "public" ? each.user : undefined,
      );
    case "leave":
      client.send({ type: "unsubscribe", channel: each.channel });
      if (!places.has(each.channel)) return void heard.push("refused not_subscribed");
      model.leave(reader, each.channel);
      return void heard.push(`${each.channel} unsubscribed`);
    case "publish": {
      const event = what.slice("event ".length);
      client.send({ type: "publish", channel: each.channel, event, data: "{}" });
      if (!places.has(each.channel)) return void heard.push("refused not_subscribed");
      if (!/^(private|presence)-/.test(each.channel)) return void heard.push("refused publish_forbidden");
      return model.tell(each.channel, what, reader);
    }
  }
}

function vanish(model: Model, reader: Reader): void {
  model.readers.splice(model.readers.indexOf(reader), 1);
  for (const channel of [...reader.places.keys()]) model.leave(reader, channel);
  reader.client.vanish();
}

async function compare({ hub, app, events }: Bench, model: Model): Promise<void> {
  expect(events.filter(({ type }) => type === "failed")).toEqual([]);
  expect(hub.nodeStats.connections).toBe(model.readers.length);
  for (const { client, heard } of model.readers) expect(client.seen.map(inWords)).toEqual(heard);
  const listed = new Map((await hub.channels(app)).map((summary) => [summary.name, summary]));
  for (const channel of CHANNELS) {
    const here = model.in(channel).length;
    expect(listed.get(channel)?.subscribers ?? 0).toBe(here);
    expect(hub.localHolderCount(app, channel)).toBe(here);
    if (!channel.startsWith("presence-")) continue;
    expect(((await hub.members(app, channel)) ?? []).map(({ id }) => id).sort()).toEqual(model.users(channel));
    expect(listed.get(channel)?.users ?? 0).toBe(model.users(channel).length);
  }
}

function expectNothingLeft({ hub, app, topics, events }: Bench): void {
  expect([...hub.connections()]).toEqual([]);
  for (const channel of CHANNELS) expect(hub.channel(app, channel)).toBeUndefined();
  expect([...topics.sockets.values()].filter((sockets) => sockets.size > 0)).toEqual([]);
  // Each channel that came to life has died, and each member that came has gone: once.
  for (const [begin, end] of [
    ["occupied", "vacated"],
    ["joined", "left"],
    ["opened", "closed"],
  ]) {
    const count = (type: string | undefined) => events.filter((event) => event.type === type).length;
    expect(count(end)).toBe(count(begin));
  }
}

/** A frame in the words of the model. */
function inWords(seen: FakeClient["seen"][number]): string {
  const { type, channel } = seen as { type: string; channel?: string };
  switch (type) {
    case "event":
      return `${channel} event ${seen.event}`;
    case "joined":
    case "left":
      return `${channel} ${type} ${(seen.member as { id: string }).id}`;
    case "subscribed": {
      const members = seen.members as { id: string }[] | undefined;
      return `${channel} subscribed${
        members
          ? ` ${members
              .map(({ id }) => id)
              .sort()
              .join(",")}`
          : ""
      }`;
    }
    case "refused":
      return `refused ${seen.error}`;
    case "pong":
      return "pong";
  }
  return `${channel} ${type}`;
}
