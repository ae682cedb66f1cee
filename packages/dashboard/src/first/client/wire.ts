/** The page's WebSocket: its frames can be watched, and it can be cut as a network would cut it. */

import { type Transport, type TransportRequest, type TransportSocket, webSocket } from "@fanfare/client";

export type Direction = "sent" | "received" | "note";
export type OnTraffic = (direction: Direction, text: string) => void;

export class Wire {
  readonly transport: Transport = { ...webSocket, open: (request) => this.#open(request) };
  readonly #onTraffic: OnTraffic;
  #isCut = false;
  #drop: (() => void) | undefined;

  /** It is passed every frame as text, both ways, and a note where a connection ends. */
  constructor(onTraffic: OnTraffic) {
    this.#onTraffic = onTraffic;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Closes the socket, and lets no other open. */
  cut(): void {
    this.#isCut = true;
    this.#drop?.();
  }

  mend(): void {
    this.#isCut = false;
  }

  #open(request: TransportRequest): TransportSocket {
    if (this.#isCut) return noSocket(request);
    let isOver = false;
    const end = (note: string) => {
      if (isOver) return false;
      isOver = true;
      this.#onTraffic("note", note);
      return true;
    };
    const socket = webSocket.open({
      ...request,
      onFrame: (text) => {
        this.#onTraffic("received", text);
        request.onFrame(text);
      },
      onClose: (code, reason) => {
        end(`closed ${code}${reason === "" ? "" : ` · ${reason}`}`);
        request.onClose(code, reason);
      },
    });
    this.#drop = () => {
      socket.close();
      if (end("cut by you")) request.onClose(1006, "cut");
    };
    return {
      send: (text) => {
        this.#onTraffic("sent", text);
        socket.send(text);
      },
      close: (code) => {
        end("closed by this page");
        socket.close(code);
      },
    };
  }
}

function noSocket({ onClose }: TransportRequest): TransportSocket {
  const timer = setTimeout(() => onClose(1006, "cut"));
  return { send() {}, close: () => clearTimeout(timer) };
}
