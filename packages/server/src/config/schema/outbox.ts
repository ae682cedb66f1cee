/** The tables in applications' databases from which publications are read: an outbox each. */

import { boolean, DATABASE_URL, integer, list, object, optional, text, textThat, withDefault } from "./fields.ts";

/** It stands in the statements that make the table, perhaps behind its schema. */
const TABLE = /^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?$/;

const source = object(
  "One table.",
  {
    url: text("The application's database: `postgres://…`, `mysql://…`, `mariadb://…` or `sqlite:FILE`.", DATABASE_URL),
    name: textThat((value) => /^[-A-Za-z0-9_.]{1,64}$/.test(value), {
      description:
        "Names the source in metrics, messages and commands. Without it, the table's name; has to differ from that of the others. Keep it: what is being published is known by it.",
      expects: 'text of up to 64 letters, digits, "-", "_" and "."',
    }).apply(optional),
    table: textThat((value) => TABLE.test(value), {
      description: "The table, perhaps with its schema in front: `shop.fanfare_publications`.",
      expects: 'a table\'s name of letters, digits and "_", perhaps with its schema and a dot in front',
    }).apply(withDefault, "fanfare_publications"),
    app: text("The app that all rows are published in, by its id. Without it each row names its own.").apply(optional),
    pollMs: integer(
      "How often an empty table is looked at, in milliseconds; a full one is read without a pause.",
      10,
      60_000,
    ).apply(withDefault, 100),
    batch: integer("Most rows that are read at a time.", 1, 1000).apply(withDefault, 200),
    notify: boolean(
      "PostgreSQL tells of each insert, so that rows are published at once: `fanfare outbox migrate` then makes a trigger. Its commits wait for each other: for databases with few writers.",
    ).apply(withDefault, false),
  },
  "an object with `url`",
);

export const outbox = list(
  "Tables in applications' databases from which publications are read: what is inserted in a transaction is published once it is committed.",
  source,
  "a list of objects with `url`",
).apply(withDefault, []);
