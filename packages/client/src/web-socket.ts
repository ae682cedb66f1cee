/** Frames over a WebSocket. */

import type { Transport, TransportRequest, TransportSocket } from "./transport.ts";

/** Over a socket of the class that the client was given, or of the runtime's own. */
export const webSocket: Transport = {
  name: "websocket",
  isSupported: (given) => (given ?? globalThis.WebSocket) !== undefined,
  open,
};

function open({ url, WebSocket = globalThis.WebSocket, ...request }: TransportRequest): TransportSocket {
  const { onOpen, onFrame, onClose } = request;
  const socket = new WebSocket(url);
  let isOver = false;
  let isOpen = false;
  const ended = (code: number, reason: string) => {
    if (isOver) return;
    isOver = true;
    onClose(code, reason);
  };
  socket.onopen = () => {
    isOpen = true;
    if (!isOver) onOpen();
  };
  socket.onmessage = ({ data }: MessageEvent) => {
    if (!isOver && typeof data === "string") onFrame(data);
  };
  // A close follows, but not in Node 22 where nobody answers. Node's `ws` throws where nobody listens.
  socket.onerror = () => {
    if (!isOpen) ended(1006, "");
  };
  socket.onclose = ({ code, reason }: CloseEvent) => ended(code, reason);
  return {
    send: (text) => socket.send(text),
    close: (code = 1000) => {
      isOver = true;
      socket.close(code);
    },
  };
}
