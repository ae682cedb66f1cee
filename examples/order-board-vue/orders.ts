/** How the board gets its orders: loaded once, then each change applied. */

import type { ChannelEvent, LoadRequest } from "@fanfare/client";

export interface Order {
  readonly id: number;
  readonly item: string;
  readonly isPaid: boolean;
}

export const ordersOptions = {
  load: ({ signal }: LoadRequest): Promise<{ state: Order[] }> =>
    fetch("/orders", { signal }).then((answer) => answer.json()),
  // The whole order comes each time, so a change that was loaded already does no harm.
  apply: (orders: Order[], { data }: ChannelEvent): Order[] => {
    const order = data as Order;
    const isKnown = orders.some(({ id }) => id === order.id);
    return isKnown ? orders.map((it) => (it.id === order.id ? order : it)) : [...orders, order];
  },
};

export const add = (item: string) => fetch("/orders", { method: "POST", body: JSON.stringify({ item }) });
export const pay = ({ id }: Order) => fetch(`/orders/${id}/paid`, { method: "POST" });
