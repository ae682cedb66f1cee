/** Controllers: endpoints as classes, as functions, and as files that the configuration names. */

import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  ConfigError,
  createServer,
  type EndpointSocket,
  type Raw,
  type Server,
} from "../../packages/server/src/index.ts";
import { atEnd } from "../support/at-end.ts";
import { eventually } from "../support/eventually.ts";
import { connectNative } from "../support/native-client.ts";
import { runCli, startProcess } from "../support/process.ts";
import { connectRaw } from "../support/raw-socket.ts";
import { APP, socketUrl, startServer } from "../support/server.ts";
import { connect } from "../support/socket.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

describe("a controller", () => {
  test("is a class whose methods are the callbacks, with the server at hand (O2, O11 to O16, O19)", async () => {
    const told: string[] = [];
    class Chat {
      static readonly options = { protocols: ["chat"] };
      readonly #server: Server;

      constructor(server: Server) {
        this.#server = server;
      }

      onHandshake(request: Request) {
        return new URL(request.url).searchParams.has("let-me-in");
      }

      onOpen(socket: EndpointSocket) {
        told.push(`open ${socket.protocol}`);
      }

      async onMessage(socket: EndpointSocket, message: Raw) {
        await this.#server.toChannel("news").push({ event: "said", data: String(message) });
        socket.send(`Recv: ${message}`);
      }

      onClose(_: EndpointSocket, code: number) {
        told.push(`close ${code}`);
      }

      onRequest(_: Request, { params }: { params: Readonly<Record<string, string>> }) {
        return new Response(`room ${params.room}, ${this.#server.connections.count()} listen`);
      }

      onDisconnect(request: Request) {
        told.push(`disconnect ${new URL(request.url).pathname}`);
      }
    }
    const server = await startServer({}, { anonymous: true });
    const endpoint = server.controller("/rooms/:room", Chat);
    const reader = await connectNative(server.url);
    await reader.subscribe("news");
    const client = await connect(socketUrl(server.url, "/rooms/7?let-me-in"), { protocols: ["chat"] });
    client.send("hello");
    expect((await reader.next("said")).data).toBe("hello");
    await eventually(() => expect(client.raw).toEqual(["Recv: hello"]));
    expect(endpoint.sockets.count()).toBe(1);
    expect(await (await fetch(`${server.url}/rooms/7`)).text()).toBe("room 7, 1 listen");
    const raw = await connectRaw(server.url);
    expect((await raw.handshake("/rooms/8")).status).toBe(403);
    await client.close(4001);
    await eventually(() => expect(told).toEqual(["open chat", "disconnect /rooms/8", "close 4001"]));
  });

  test("overrides what it wants, one callback at a time; the rest is done as by default (O2, O17)", async () => {
    class Echo {
      onMessage(socket: EndpointSocket, message: Raw) {
        socket.send(`${this.greeting}: ${message}`);
      }

      get greeting() {
        return "Recv";
      }
    }
    class Louder extends Echo {
      onOpen(socket: EndpointSocket) {
        socket.send("open");
      }

      override get greeting() {
        return "RECV";
      }
    }
    const server = await startServer();
    server.mount(() => new Response("mounted"));
    server.controller("/louder", Louder);
    server.controller("/object", { onMessage: (socket, message) => socket.send(message) }, { frameBytes: 10 });
    const louder = await connect(socketUrl(server.url, "/louder"));
    louder.send("hi");
    await eventually(() => expect(louder.raw).toEqual(["open", "RECV: hi"]));
    expect(await (await fetch(`${server.url}/louder`)).text()).toBe("mounted");
    const object = await connect(socketUrl(server.url, "/object"));
    object.send("12345678901");
    expect((await object.closed).code).toBe(1009);
  });

  test("that can do nothing, or that does not know its callbacks, is refused", async () => {
    const server = await startServer();
    class Misspelt {
      onMesage() {}
    }
    expect(() => server.controller("/a", Misspelt as never)).toThrow("no callback onMesage");
    expect(() => server.controller("/b", {})).toThrow("without any callback");
    expect(() => server.controller("/c", { onOpen: 7 as never })).toThrow("onOpen is no function");
    expect(() => server.controller("/d", "chat.ts" as never)).toThrow("a class or an object");
  });

  test("keeps a table of its clients, and counts them in the log (O20, O22)", async () => {
    const lines: string[] = [];
    class Table {
      readonly #fds = new Map<string, { fd: string; name: string }>();

      onOpen({ id }: EndpointSocket) {
        this.#fds.set(id, { fd: id, name: `guest-${this.#fds.size + 1}` });
        lines.push(`${this.#fds.get(id)?.name} opened, ${this.#fds.size} in all`);
      }

      onMessage({ id, send }: EndpointSocket, message: Raw) {
        const row = this.#fds.get(id);
        if (row) row.name = String(message);
        expect(send).toBeFunction();
      }

      onClose({ id }: EndpointSocket) {
        const name = this.#fds.get(id)?.name;
        this.#fds.delete(id);
        lines.push(`${name} closed, ${this.#fds.size} in all`);
      }
    }
    const server = await startServer();
    const endpoint = server.controller("/chat", Table);
    const one = await connect(socketUrl(server.url, "/chat"));
    const two = await connect(socketUrl(server.url, "/chat"));
    one.send("ada");
    const ids = [...endpoint.sockets].map(({ id }) => id);
    expect(ids.map((id) => endpoint.sockets.get(id)?.isOpen)).toEqual([true, true]);
    await one.close();
    await two.close();
    await eventually(() =>
      expect(lines).toEqual([
        "guest-1 opened, 1 in all",
        "guest-2 opened, 2 in all",
        "ada closed, 1 in all",
        "guest-2 closed, 0 in all",
      ]),
    );
    expect(endpoint.sockets.get(ids[0] ?? "")).toBeUndefined();
  });
});

describe("a controller in the configuration (O2)", () => {
  function folderWith(files: Readonly<Record<string, string>>): string {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "ws"));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return folder;
  }

  const CHAT = `export default class Chat {
    constructor(private readonly server) {}
    onOpen(socket) { socket.send("open " + socket.params.room); }
    onMessage(socket, message) { socket.send("chat " + message); }
    async onRequest(request) {
      await this.server.broadcast({ event: "news", data: await request.text() });
      return new Response("sent");
    }
  }`.replace("private readonly server) {}", "server) { this.server = server; }");
  const OTHERS = `export const loud = (socket, message) => socket.send(String(message).toUpperCase());
    export default { onOpen(socket) { socket.send(this.word); }, word: "other" };`;

  test("is served by the command line, its files found beside the configuration (O19, O21)", async () => {
    const cwd = folderWith({ "ws/chat.ts": CHAT, "ws/others.ts": OTHERS });
    const controllers = [
      { path: "/rooms/:room", module: "ws/chat.ts" },
      { path: "/loud/:room", module: "ws/chat.ts", onMessage: "ws/others.ts#loud" },
      { path: "/one", onOpen: "ws/others.ts" },
    ];
    const child = await startProcess({ cwd, config: { controllers, apps: [{ ...APP, anonymous: true }] } });
    const say = async (path: string) => {
      const client = await connect(socketUrl(child.url, path));
      client.send("hi");
      return client;
    };
    const [rooms, loud, one] = [await say("/rooms/7"), await say("/loud/8"), await say("/one")];
    await eventually(() => expect(rooms.raw).toEqual(["open 7", "chat hi"]));
    await eventually(() => expect(loud.raw).toEqual(["open 8", "HI"]));
    await eventually(() => expect(one.raw).toEqual(["other"]));
    const reader = await connectNative(child.url);
    expect(await (await fetch(`${child.url}/rooms/7`, { method: "POST", body: "all" })).text()).toBe("sent");
    expect((await reader.next("news")).data).toBe("all");
  });

  test("that cannot be used is reported with the setting's name, each one", async () => {
    const cwd = folderWith({ "ws/none.ts": "export const a = 1;", "ws/bad.ts": "export default {{" });
    const controllers = [
      { path: "/a", module: "ws/missing.ts" },
      { path: "/b", module: "ws/none.ts" },
      { path: "/c", module: "ws/none.ts#a" },
      { path: "/app/KEY", module: "ws/none.ts#a" },
      { path: "/e" },
      { path: "/f", onOpen: "ws/none.ts#a" },
      { path: "/g", module: "ws/bad.ts" },
    ];
    writeFileSync(join(cwd, "fanfare.config.json"), JSON.stringify({ apps: [APP], controllers }));
    const { code, stderr } = await runCli(["serve", "--port", "0"], { cwd });
    expect(code).not.toBe(0);
    for (const line of [
      "`controllers[0].module`: cannot load",
      "`controllers[1].module`: ",
      "has no default export",
      "`controllers[2].module`: ",
      "exports neither a class nor an object",
      "`controllers[4]`: it names neither a module nor a callback",
      "`controllers[5].onOpen`: ",
      "exports no function",
      "`controllers[6].module`: cannot load",
    ]) {
      expect(stderr).toContain(line);
    }
  });

  test("works for a program as well, and stays when it starts again", async () => {
    const folder = folderWith({ "ws/chat.ts": CHAT });
    const controllers = [{ path: "/rooms/:room", module: join(folder, "ws/chat.ts") }];
    const options = { host: "127.0.0.1", port: 0, log: { level: "silent" }, apps: [APP] } as const;
    const server = createServer({ ...options, controllers });
    atEnd(() => server.stop());
    for (let time = 0; time < 2; time++) {
      await server.start();
      const client = await connect(socketUrl(server.url, "/rooms/7"));
      await eventually(() => expect(client.raw).toEqual(["open 7"]));
      await server.stop();
    }
    const broken = createServer({ ...options, controllers: [{ path: "/a", module: "./missing.ts" }] });
    await expect(broken.start()).rejects.toThrow(ConfigError);
  });
});
