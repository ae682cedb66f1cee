/** TypeScript's language server, as an editor talks to it: what it shows when the mouse is over a name. */

import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly result?: { readonly contents?: { readonly value?: string } } | null;
}

/** The text of the hover over the last place where each name is in the source, which is at `path` in the repository. */
export async function hover(path: string, source: string, names: readonly string[]): Promise<string[]> {
  const server = Bun.spawn([join(ROOT, "node_modules/.bin/tsc"), "--lsp", "--stdio"], {
    cwd: ROOT,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  try {
    const send = (message: object) => {
      const text = JSON.stringify({ jsonrpc: "2.0", ...message });
      server.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
      server.stdin.flush();
    };
    const messages = messagesOf(server.stdout);
    const ask = async (id: number, method: string, params: object): Promise<Message["result"]> => {
      send({ id, method, params });
      while (true) {
        const { done, value: message } = await messages.next();
        if (done) throw new Error("the language server has ended");
        if (message.method === undefined && message.id === id) return message.result;
        // The server has questions of its own, on the editor's settings.
        if (message.method !== undefined && message.id !== undefined) send({ id: message.id, result: [] });
      }
    };
    const uri = `file://${join(ROOT, path)}`;
    const capabilities = { textDocument: { hover: { contentFormat: ["plaintext"] } } };
    await ask(0, "initialize", { processId: process.pid, rootUri: `file://${ROOT}`, capabilities });
    send({ method: "initialized", params: {} });
    const textDocument = { uri, languageId: "typescript", version: 1, text: source };
    send({ method: "textDocument/didOpen", params: { textDocument } });
    const shown: string[] = [];
    for (const [index, name] of names.entries()) {
      const before = source.slice(0, source.lastIndexOf(name)).split("\n");
      const position = { line: before.length - 1, character: before.at(-1)?.length ?? 0 };
      const answer = await ask(index + 1, "textDocument/hover", { textDocument: { uri }, position });
      shown.push(answer?.contents?.value ?? "");
    }
    return shown;
  } finally {
    server.stdin.end();
    server.kill();
    await server.exited;
  }
}

async function* messagesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Message> {
  let waiting = Buffer.alloc(0);
  for await (const chunk of stream) {
    waiting = Buffer.concat([waiting, chunk]);
    while (true) {
      const head = /^[\s\S]*?Content-Length: (\d+)[\s\S]*?\r\n\r\n/.exec(waiting.toString("latin1"));
      const end = head === null ? Number.POSITIVE_INFINITY : head[0].length + Number(head[1]);
      if (head === null || waiting.length < end) break;
      const message: Message = JSON.parse(waiting.subarray(head[0].length, end).toString());
      waiting = waiting.subarray(end);
      yield message;
    }
  }
}
