/** Bun's socket events, passed on to the hub or to an endpoint. */

import type { WebSocketHandler } from "bun";
import { isReserved } from "../../domain/app.ts";
import { Connection } from "../../domain/connection.ts";
import type { Socket } from "../../domain/transport.ts";
import { connect } from "../../hub/connect.ts";
import { receive, receivePing } from "../../hub/execute.ts";
import type { Hub } from "../../hub/hub.ts";
import { answersProbe } from "../../hub/liveness.ts";
import { compressionOptions } from "../compression.ts";
import { EndpointConnection } from "../endpoints/endpoint-connection.ts";
import type { RejectedClient } from "./admission.ts";
import type { PendingUsers } from "./handshake.ts";
import type { HandshakeOptions, ListenOptions, SocketData } from "./listen-options.ts";

export function socketHandler(options: ListenOptions, pendingUsers: PendingUsers): WebSocketHandler<SocketData> {
  const { config, hub, ipConnectionLimiter } = options;
  return {
    maxPayloadLength: config.limits.frameBytes,
    backpressureLimit: config.limits.outboundBufferBytes,
    // Without it Bun silently drops what a stalled reader does not take.
    closeOnBackpressureLimit: true,
    // Liveness is judged by the hub, from what comes in: Bun's own timer is reset by what goes out.
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: compressionOptions(config.compression),
    open(ws) {
      const { data } = ws;
      if (data instanceof EndpointConnection) return data.opened(ws);
      openSocket(options, pendingUsers, ws, data);
    },
    message({ data }, frame) {
      if (data instanceof Connection) receive(hub, data, frame);
      else if (data instanceof EndpointConnection) data.received(frame);
    },
    ping({ data }, payload) {
      if (data instanceof Connection) receivePing(hub, data);
      else if (data instanceof EndpointConnection) data.pinged(payload);
    },
    pong({ data }, payload) {
      if (data instanceof Connection) {
        if (answersProbe(data, payload)) data.rttMs = Math.round(hub.clock.monotonicMs() - data.probedAtMs);
        receivePing(hub, data);
      } else if (data instanceof EndpointConnection) data.ponged(payload);
    },
    drain({ data }) {
      if (data instanceof EndpointConnection) data.drained();
    },
    close({ data }, code, reason) {
      ipConnectionLimiter.release(data.address);
      if (data instanceof Connection) {
        options.slowConsumers.socketClosed(data, code);
        hub.close(data, code);
      } else if (data instanceof EndpointConnection) data.socketClosed(code, reason);
    },
  };
}

/** A client of the hub has a socket: it is taken in, or learns by it why it is not. */
export function openSocket(
  options: HandshakeOptions,
  pendingUsers: PendingUsers,
  socket: Socket,
  data: Connection | RejectedClient,
): void {
  const { hub } = options;
  if (!(data instanceof Connection)) return reject(hub, socket, data);
  // The hub counts its own; where endpoints have sockets, these take their place.
  const full = options.endpoints.count > 0 && !isReserved(data.app) ? options.capacityError() : undefined;
  const why = full ?? options.recheck(data);
  if (!why) return connect(hub, data, socket, pendingUsers.get(data));
  // Never opened, so its end is not reported.
  data.closed = true;
  data.disconnectReason = why;
  hub.quotas.releaseConnection(data);
  reject(hub, socket, { protocol: data.protocol, address: data.address, reason: why, app: data.app });
}

function reject(
  hub: Hub,
  ws: Pick<Socket, "send" | "close">,
  { protocol, address, reason: why, app, client }: RejectedClient,
): void {
  hub.observe({ type: "rejected", address, why, ...(app && { app }), ...(client && { client }) });
  const { frame, code, reason } = protocol.encodeClose(why);
  if (frame !== undefined) ws.send(frame);
  ws.close(code, reason);
}
