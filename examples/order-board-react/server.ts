/** An order board in React: the orders are the application's, every page shows them as they are now. */

import { createServer } from "fanfare";
import page from "./index.html";

const fanfare = createServer({
  port: Number(process.env.FANFARE_PORT ?? 9501),
  apps: [
    {
      id: "shop",
      key: "shop-key",
      secret: process.env.APP_SECRET ?? crypto.randomUUID(),
      anonymous: true,
      // Enough to catch up after a reconnect.
      channels: [{ match: "orders", history: { size: 1_000, ttlS: 3_600 } }],
    },
  ],
});
await fanfare.start();

interface Order {
  readonly id: number;
  readonly item: string;
  readonly isPaid: boolean;
}

const orders = new Map<number, Order>();

async function save(order: Order): Promise<Response> {
  orders.set(order.id, order);
  await fanfare.toChannel("orders").push({ event: "changed", data: order });
  return Response.json(order);
}

const web = Bun.serve({
  port: process.env.PORT ?? 8080,
  routes: {
    "/": page,
    "/socket": (request) => new Response(`ws://${new URL(request.url).hostname}:${fanfare.port}`),
    "/orders": {
      GET: async () => {
        // The position first: what comes between the two is then applied twice, and not lost.
        const { position } = await fanfare.history("orders", { limit: 1 });
        return Response.json({ state: [...orders.values()], position });
      },
      POST: async (request) => {
        const { item } = await request.json();
        return save({ id: orders.size + 1, item: String(item).slice(0, 100), isPaid: false });
      },
    },
    "/orders/:id/paid": {
      POST: (request) => {
        const order = orders.get(Number(request.params.id));
        return order ? save({ ...order, isPaid: true }) : new Response("No such order", { status: 404 });
      },
    },
  },
});
console.log(`Open ${web.url} in two windows`);
