/** Frames over a WebSocket. */

import type { Transport, TransportRequest, TransportSocket } from "./transport.ts";
import type { WebSocketConstructor } from "./types.ts";

/** Over a socket of the given class, or of the runtime's own. */
export function webSocket(given?: WebSocketConstructor): Transport {
  const implementation = () => given ?? (globalThis.WebSocket as WebSocketConstructor | undefined);
  return {
    name: "websocket",
    isSupported: () => implementation() !== undefined,
    open: (request) => open(implementation() as WebSocketConstructor, request),
  };
}

function open(Socket: WebSocketConstructor, { url, onOpen, onFrame, onClose }: TransportRequest): TransportSocket {
  const socket = new Socket(url);
  let isOver = false;
  socket.onopen = () => {
    if (!isOver) onOpen();
  };
  socket.onmessage = ({ data }: MessageEvent) => {
    if (!isOver && typeof data === "string") onFrame(data);
  };
  // A close follows. Node's `ws` throws where nobody listens.
  socket.onerror = () => {};
  socket.onclose = ({ code, reason }: CloseEvent) => {
    if (isOver) return;
    isOver = true;
    onClose(code, reason);
  };
  return {
    send: (text) => socket.send(text),
    close: (code = 1000) => {
      isOver = true;
      socket.close(code);
    },
  };
}
