/** @jsxImportSource react */
/** The board: what `useLive` has, and two ways to change it. */

import { createClient } from "@fanfare/client";
import { FanfareProvider, useConnection, useLive } from "@fanfare/client/react";
import { createRoot } from "react-dom/client";
import { add, ordersOptions, pay } from "./orders.ts";

const client = createClient({ url: () => fetch("/socket").then((answer) => answer.text()) });

function Board() {
  const { value: orders = [], status } = useLive("orders", ordersOptions);
  const { state } = useConnection();
  return (
    <>
      <p id="state">{state}</p>
      <ul aria-busy={status !== "live"}>
        {orders.map((order) => (
          <li key={order.id}>
            <span>{`${order.item}: ${order.isPaid ? "paid" : "open"}`}</span>
            <button type="button" disabled={order.isPaid} onClick={() => pay(order)}>
              Pay
            </button>
          </li>
        ))}
      </ul>
      <form action={(form) => void add(String(form.get("item")))}>
        <input name="item" placeholder="What is ordered" required />
        <button type="submit">Order</button>
      </form>
    </>
  );
}

createRoot(document.querySelector("#app") as HTMLElement).render(
  <FanfareProvider client={client}>
    <Board />
  </FanfareProvider>,
);
