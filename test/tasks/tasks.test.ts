/** Work in threads: its results, its errors, and everything that may go wrong with a thread (A13). */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type ConfigInput, createServer, TaskError, type TaskErrorCode } from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { external } from "../support/external.ts";
import { spawnCli } from "../support/process.ts";
import { connectPusher } from "../support/pusher-client.ts";
import { APP, startServer } from "../support/server.ts";

const program = (name: string) => new URL(`./programs/${name}.ts`, import.meta.url);
const SUM = program("sum");

/** One that needs not listen: tasks work without. */
function server(tasks: ConfigInput["tasks"] = {}, more: ConfigInput = {}) {
  const made = createServer({ host: "127.0.0.1", port: 0, log: { level: "silent" }, apps: [APP], tasks, ...more });
  atEnd(() => made.stop());
  return made;
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    (value) => expect.unreachable(`It resolved with ${JSON.stringify(value)}.`),
    (error: unknown) => error,
  );
}

async function codeOf(promise: Promise<unknown>): Promise<TaskErrorCode | undefined> {
  const error = await errorOf(promise);
  return error instanceof TaskError ? error.code : undefined;
}

const spin = (ms: number) => {
  const end = performance.now() + ms;
  while (performance.now() < end);
  return ms;
};

const later = async ({ x, ms }: { x: number; ms: number }) => {
  await Bun.sleep(ms);
  return x;
};

describe("a task", () => {
  test("is a module's default export, with the types of its module (A13)", async () => {
    const total: number = await server().task<typeof import("./programs/sum.ts")>(SUM, { numbers: [1, 2, 39] });
    expect(total).toBe(42);
  });

  test("is named by an absolute path as well, and then nobody knows its types", async () => {
    const total: unknown = await server().task(join(import.meta.dir, "programs", "sum.ts"), { numbers: [1, 2] });
    expect(total).toBe(3);
  });

  test("is a function, in any form, with the types it says", async () => {
    const host = server();
    const doubled: number = await host.task((x: number) => x * 2, 21);
    const text: string = await host.task(async function shout(word: string) {
      await Bun.sleep(1);
      return word.toUpperCase();
    }, "hi");
    const { resize } = { resize: (size: { width: number }) => size.width / 2 };
    const methods = {
      async halve(x: number) {
        return x / 2;
      },
    };
    const nothing: number = await host.task(() => 7);
    expect([doubled, text, await host.task(resize, { width: 8 }), await host.task(methods.halve, 3), nothing]).toEqual([
      42,
      "HI",
      4,
      1.5,
      7,
    ]);
    // @ts-expect-error: the compiler knows what the function takes.
    expect(await host.task((x: number) => x, "text")).toBe("text");
  });

  test("imports what it needs inside", async () => {
    const digest = await server().task(async (text: string) => {
      const { createHash } = await import("node:crypto");
      return createHash("sha256").update(text).digest("hex");
    }, "a");
    expect(digest).toHaveLength(64);
  });

  test("is given a copy and gives a copy, of everything that is data", async () => {
    const input = { when: new Date(0), bytes: new Uint8Array([1, 2]), map: new Map([["a", new Set([1n])]]) };
    const output = await server().task((value: typeof input) => value, input);
    expect(output).toEqual(input);
    expect(output.map).not.toBe(input.map);
  });

  test("does not hold up messages", async () => {
    const host = await startServer({ tasks: { threads: 1 } });
    const client = await connectPusher(host.url);
    let isOver = false;
    const task = host.task(spin, 1_000).then(() => {
      isOver = true;
    });
    for (let ping = 0; ping < 5; ping++) await client.ping();
    expect(isOver).toBe(false);
    await task;
  });

  test("runs beside others, as many at once as there are threads", async () => {
    const host = server({ threads: 2 });
    const meeting = new SharedArrayBuffer(4);
    const meet = (shared: SharedArrayBuffer) => {
      const here = new Int32Array(shared);
      Atomics.add(here, 0, 1);
      const end = performance.now() + 10_000;
      while (Atomics.load(here, 0) < 2 && performance.now() < end);
      return Atomics.load(here, 0);
    };
    expect(await Promise.all([host.task(meet, meeting), host.task(meet, meeting)])).toEqual([2, 2]);
  });
});

describe("what the task throws arrives", () => {
  test("with name, message, stack and what else is data", async () => {
    const error = await errorOf(server().task(program("fails"), "own"));
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "NoSuchPicture", message: "there is no picture", code: "E_PICTURE" });
    expect(error).not.toHaveProperty("socket");
    expect(error instanceof Error && error.stack).toContain(join("programs", "fails.ts"));
  });

  test("as the language's own error where it is one", async () => {
    expect(await errorOf(server().task(program("fails"), "native"))).toBeInstanceOf(RangeError);
  });

  test("as it is where it is no error", async () => {
    expect(await errorOf(server().task(program("fails"), "value"))).toEqual({ reason: "none" });
  });
});

describe("what cannot be run says why", () => {
  test("a function that needs what is around it", async () => {
    // What the compiler knows, it puts into the function.
    const around = Date.now();
    const error = await errorOf(server().task((x: number) => x + around, 1));
    expect(error).toMatchObject({ name: "TaskError", code: "not_a_task" });
    expect(String(error)).toContain("around is not defined. A function goes to its thread as text");
    expect(error instanceof Error && error.cause).toBeInstanceOf(ReferenceError);
  });

  const cases = [
    ["a module that is not there", program("nobody"), "cannot be loaded"],
    ["a module without a default export", program("no-default"), "has no function as its default export"],
    ["a path that is relative to nobody knows what", "./sum.ts", "or an absolute path"],
  ] as const;
  test.each(cases)("%s", async (_name, module, sentence) => {
    const error = await errorOf(server().task(module, 1));
    expect(error).toMatchObject({ name: "TaskError", code: "not_a_task" });
    expect(String(error)).toContain(sentence);
  });

  test("a built-in function", async () => {
    expect(await codeOf(server().task(Math.sqrt, 4))).toBe("not_a_task");
  });

  test("an input or a result that is no data, and the thread goes on", async () => {
    const host = server({ threads: 1 });
    expect(
      await codeOf(
        host.task(
          (f: () => number) => f(),
          () => 1,
        ),
      ),
    ).toBe("not_data");
    expect(await codeOf(host.task(() => () => 1))).toBe("not_data");
    expect(await host.task((x: number) => x, 1)).toBe(1);
  });
});

test("where the queue is full a task is refused at once, and those before it are done", async () => {
  const host = server({ threads: 1, queue: 2 });
  const accepted = [1, 2, 3].map((x) => host.task(later, { x, ms: 50 }));
  const started = performance.now();
  const error = await errorOf(host.task((x: number) => x, 4));
  expect(error).toMatchObject({ name: "TaskError", code: "queue_full" });
  expect(performance.now() - started).toBeLessThan(40);
  expect(await Promise.all(accepted)).toEqual([1, 2, 3]);
  expect(await host.task((x: number) => x, 5)).toBe(5);
});

test("a task that takes too long is ended even if it never yields, and the next has a new thread", async () => {
  const host = server({ threads: 1, timeoutS: 30 });
  const endless = host.task(
    () => {
      for (;;);
    },
    undefined,
    { timeoutS: 0.2 },
  );
  const next = host.task((x: number) => x, 1);
  expect(await codeOf(endless)).toBe("timeout");
  expect(await next).toBe(1);
});

test("a task may be given time without end", async () => {
  const host = server({ threads: 1, timeoutS: 30 });
  expect(await host.task(spin, 100, { timeoutS: Number.POSITIVE_INFINITY })).toBe(100);
});

test("the time that a task waits for its thread is not counted as its own", async () => {
  const host = server({ threads: 1, timeoutS: 2 });
  const all = await Promise.all([host.task(spin, 1_200), host.task(spin, 1_200)]);
  expect(all).toEqual([1_200, 1_200]);
});

describe("a thread that crashes", () => {
  const crashes = {
    "because the task ends it": () => process.exit(3),
    "because of an error that nobody can catch": () => {
      setTimeout(() => {
        throw new Error("too late");
      }, 1);
      return new Promise<never>(() => {});
    },
  };
  test.each(Object.entries(crashes))("%s rejects only its own task, and is replaced", async (_how, crash) => {
    const host = server({ threads: 2 });
    const others = [1, 2, 3, 4].map((x) => host.task(later, { x, ms: 30 }));
    const crashed = host.task(crash);
    const more = [5, 6].map((x) => host.task((value: number) => value, x));
    expect(await codeOf(crashed)).toBe("crashed");
    expect(await Promise.all([...others, ...more])).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe("a server that stops", () => {
  test("waits for its tasks, those in the queue too, and takes no more", async () => {
    const host = await startServer({ tasks: { threads: 1 }, drainTimeoutS: 10 });
    const tasks = [1, 2].map((x) => host.task(later, { x, ms: 100 }));
    const stop = host.stop();
    expect(await Promise.all(tasks)).toEqual([1, 2]);
    await stop;
    expect(await codeOf(host.task((x: number) => x, 1))).toBe("stopped");
  });

  test("does not wait longer than the drain may take, and says so to each", async () => {
    const host = await startServer({ tasks: { threads: 1 }, drainTimeoutS: 0.3 });
    const endless = host.task(() => {
      for (;;);
    });
    const waiting = host.task((x: number) => x, 1);
    const codes = Promise.all([codeOf(endless), codeOf(waiting)]);
    await host.stop();
    expect(await codes).toEqual(["stopped", "stopped"]);
  });

  test("takes tasks again when it starts again", async () => {
    const host = await startServer();
    expect(await host.task((x: number) => x, 1)).toBe(1);
    await host.stop();
    await host.start();
    expect(await host.task((x: number) => x, 2)).toBe(2);
  });
});

test("threads are made when they are needed, and keep no program from ending", async () => {
  // It counts its threads there.
  external("proc");
  const child = spawnCli([], { program: [process.execPath, join(import.meta.dir, "programs", "lone.ts")] });
  expect((await child.ended()).code).toBe(0);
  expect(JSON.parse(child.stdout)).toEqual({ before: 0, result: 42, after: 1 });
});

test("ten thousand tasks leave no thread, no timer and no memory behind that grows", async () => {
  const host = server({ threads: 2, queue: 10_000 });
  const round = async () => {
    const results = await Promise.all(Array.from({ length: 2_500 }, (_, x) => host.task((value: number) => value, x)));
    expect(results.at(-1)).toBe(2_499);
    Bun.gc(true);
    return process.memoryUsage.rss();
  };
  const first = await round();
  await eventually(async () => expect((await round()) - first).toBeLessThan(64 * 2 ** 20), { withinMs: 15_000 });
}, 30_000);
