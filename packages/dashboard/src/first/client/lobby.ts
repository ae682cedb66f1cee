/** The page's client, whose frames are shown as they pass. */

import { type Client, createClient, type Transport, type TransportSocket, webSocket } from "@fanfare/client";

export type Direction = "sent" | "received" | "note";

export interface LobbyOptions {
  readonly key: string;
  /** The name that the next token is to carry. */
  readonly name: () => string;
  /** Every frame as text, both ways, and a note where a connection ends. */
  readonly onTraffic: (direction: Direction, text: string) => void;
  /** The app has another key now, so that what the page shows is out of date. */
  readonly onOtherKey: () => void;
}

export function createLobby({ key, name, onTraffic, onOtherKey }: LobbyOptions): Client {
  const client: Client = createClient({
    url: new URL("./", location.href).href,
    // With the app's key, since a program may have an endpoint at the same address.
    app: key,
    token: ({ reason, signal }) => {
      const isSentAway = reason === "rejected" && client.snapshot.error?.code === "terminated";
      return isSentAway ? null : fetchToken(name(), signal);
    },
    transports: [watched(webSocket, onTraffic)],
  });
  return client;

  async function fetchToken(wanted: string, signal: AbortSignal): Promise<string | null> {
    const response = await fetch(`demo/token?name=${encodeURIComponent(wanted)}`, { signal, cache: "no-store" });
    // This server has no demo any more.
    if (response.status === 404 || response.status === 403) return null;
    if (!response.ok) throw new Error(`The server answers ${response.status}.`);
    const answer = (await response.json()) as { readonly token: string; readonly key: string };
    if (answer.key !== key) onOtherKey();
    return answer.token;
  }
}

function watched(transport: Transport, onTraffic: LobbyOptions["onTraffic"]): Transport {
  return {
    ...transport,
    open(request): TransportSocket {
      const socket = transport.open({
        ...request,
        onFrame(text) {
          onTraffic("received", text);
          request.onFrame(text);
        },
        onClose(code, reason) {
          onTraffic("note", `closed ${code}${reason === "" ? "" : ` · ${reason}`}`);
          request.onClose(code, reason);
        },
      });
      return {
        send(text) {
          onTraffic("sent", text);
          socket.send(text);
        },
        close(code) {
          onTraffic("note", "closed by this page");
          socket.close(code);
        },
      };
    },
  };
}
