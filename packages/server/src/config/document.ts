/** Writes docs/configuration.md from the table: `bun packages/server/src/config/document.ts --write`. A test fails when it is stale. */

import type { z } from "zod";
import {
  type ForeignVariable,
  families,
  foreignVariables,
  platformVariables,
  TLS_SWITCH,
} from "./environment/foreign-variables.ts";
import { ignoredVariables } from "./environment/ignored-variables.ts";
import { schema } from "./schema/schema.ts";
import { defaultOf, elementOf, factsOf, type Setting, settings, shapeOf } from "./settings.ts";

/** The whole of docs/configuration.md. */
export function renderDocumentation(): string {
  const shape = Object.entries(shapeOf(schema) ?? {});
  const single = shape.filter(([, node]) => shapeOf(node) === undefined && node !== schema.shape.apps);
  const apps = elementOf(schema.shape.apps);
  const parts = [INTRODUCTION, "## The server", table(single, ""), ...["log", "tls"].flatMap(section)];
  const { api, names } = shapeOf(schema.shape.tls) ?? {};
  parts.push("### `tls.names`", sentence(names), table(fieldsOf(names && elementOf(names)), "tls.names[]"));
  parts.push(
    "### `tls.api`",
    sentence(api),
    table(fieldsOf(api), "tls.api"),
    ...shape
      .filter(([key, node]) => shapeOf(node) !== undefined && !PLACED.includes(key))
      .flatMap(([key]) => section(key)),
    ...section("dashboard"),
    ...dashboardParts(),
    ...section("limits"),
  );
  parts.push(...section("defaults"), "### `defaults.limits`", sentence(shapeOf(schema.shape.defaults)?.limits));
  parts.push(table(fieldsOf(shapeOf(schema.shape.defaults)?.limits), "defaults.limits"));
  parts.push("## `apps`", APPS, table(fieldsOf(apps), "apps[]"));
  const app = shapeOf(apps ?? schema.shape.apps);
  parts.push("### `token` of an app", sentence(app?.token), TOKEN, table(fieldsOf(app?.token), "apps[].token"));
  const hook = app?.webhooks && elementOf(app.webhooks);
  parts.push("### `webhooks` of an app", sentence(app?.webhooks), table(fieldsOf(hook), "apps[].webhooks[]"));
  const { channels } = shapeOf(hook ?? schema.shape.apps) ?? {};
  parts.push(
    "### `channels` of a webhook",
    sentence(channels),
    table(fieldsOf(channels), "apps[].webhooks[].channels"),
  );
  const rule = elementOf(schema.shape.defaults.unwrap().shape.channels);
  parts.push("## Channel rules", RULES, table(fieldsOf(rule), "[]"));
  const { history } = shapeOf(rule ?? schema.shape.apps) ?? {};
  parts.push("### `history` of a rule", sentence(history), HISTORY, table(fieldsOf(history), "[].history"));
  parts.push("## Names of other servers", FOREIGN);
  for (const { of, aliases: names } of families) parts.push(`### ${of}`, aliasTable(names));
  parts.push("### Where it runs", aliasTable(platformVariables));
  parts.push("### Names that are not read", UNREAD, unreadTable());
  return `${parts.join("\n\n")}\n`;
}

/** Objects that have their place in the order of reading; all others come between them. */
const PLACED: readonly string[] = ["log", "tls", "dashboard", "limits", "defaults"];

/** Who may sign in there. */
function dashboardParts(): string[] {
  const { users, token } = shapeOf(schema.shape.dashboard) ?? {};
  const user = users && elementOf(users);
  return [
    ...["### `dashboard.users`", sentence(users), table(fieldsOf(user), "dashboard.users[]")],
    ...["### `dashboard.token`", sentence(token), table(fieldsOf(token), "dashboard.token")],
  ];
}

type Field = readonly [string, z.core.$ZodType];

function section(key: string): string[] {
  const node = shapeOf(schema)?.[key];
  return [`## \`${key}\``, sentence(node), table(fieldsOf(node), key)];
}

function sentence(node: z.core.$ZodType | undefined): string {
  return node === undefined ? "" : factsOf(node).description;
}

function fieldsOf(node: z.core.$ZodType | undefined): readonly Field[] {
  return node === undefined ? [] : Object.entries(shapeOf(node) ?? {});
}

/** Settings inside lists have no environment name of their own. */
function table(fields: readonly Field[], prefix: string): string {
  const inList = prefix.includes("[]");
  const head = ["Key", "Default", "What it is", "Takes", ...(inList ? [] : ["Environment"])];
  const rows = fields.filter(([, node]) => inList || shapeOf(node) === undefined).map((field) => row(field, prefix));
  return rowsOf(head, rows);
}

function rowsOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function aliasTable(names: readonly ForeignVariable[]): string {
  const rows = names.map(({ name, path, conversion, note }) => {
    const how = [conversion?.description, note].filter((text) => text !== undefined).join("; ");
    return [`\`${name}\``, `\`${path}\``, how];
  });
  const isTheirs = names.some(({ name }) => name.startsWith(TLS_SWITCH));
  if (isTheirs) rows.push([`\`${TLS_SWITCH}\``, "`tls`", TLS]);
  return rowsOf(["Name", "Setting", "How"], rows);
}

function unreadTable(): string {
  const rows = ignoredVariables.map(({ names, why }) => [names.map((name) => `\`${name}\``).join(", "), why]);
  return rowsOf(["Name", "Why"], rows);
}

function row([key, node]: Field, prefix: string): string[] {
  const known = factsOf(node);
  const setting = settings.find(({ path }) => path === (prefix === "" ? key : `${prefix}.${key}`));
  const names = setting === undefined ? [] : namesOf(setting).map((name) => `\`${name}\``);
  const cells = [`\`${key}\``, initialText(node), known.description, known.expects];
  return [...cells, ...(setting === undefined ? [] : [names.join(", ")])].map((cell) => cell.replaceAll("|", "\\|"));
}

/** Names that hold something else than the setting takes are listed with what becomes of it. */
function namesOf({ env, path, facts }: Setting): string[] {
  const same = foreignVariables.filter((alias) => alias.path === path && alias.conversion === undefined);
  return [env, ...(facts.aliases ?? []), ...same.map(({ name }) => name)];
}

function initialText(node: z.core.$ZodType): string {
  const value = defaultOf(node);
  if (value === undefined) return "";
  return value === Number.POSITIVE_INFINITY ? '`"unlimited"`' : `\`${JSON.stringify(value)}\``;
}

const INTRODUCTION = `# Configuration

<!-- Generated from packages/server/src/config/schema by \`bun packages/server/src/config/document.ts --write\`. Do not edit. -->

Every setting has a default, so an empty configuration is a valid one. Four sources are laid over each other, each over
the one before: the defaults, a configuration file, the environment, flags. \`fanfare config show\` prints what came out
and where each value came from, \`fanfare config check\` says whether it is valid. A key that is not known is refused.

**The file** is \`fanfare.config.ts\`, \`.js\`, \`.json\`, \`.yaml\`, \`.yml\` or \`.toml\` in the working directory, or the one
named by \`--config\`. Two of them side by side are refused.

\`\`\`ts
import { defineConfig } from "fanfare";

export default defineConfig({
  port: 8080,
  limits: { frameBytes: 16_384 },
  apps: [{ id: "shop", key: "shop-key", secret: process.env.SHOP_SECRET ?? "", clientEvents: true }],
});
\`\`\`

\`\`\`yaml
port: 8080
limits:
  frameBytes: 16384
apps:
  - id: shop
    key: shop-key
    secrets: [new-secret, old-secret]
\`\`\`

**The environment** has a name for every setting outside lists: \`FANFARE_\` and the path in capitals, so that
\`limits.frameBytes\` is \`FANFARE_LIMITS_FRAME_BYTES\`. Lists and whole objects are JSON: \`FANFARE_APPS='[{"id":…}]'\`,
\`FANFARE_LIMITS='{"frameBytes":16384}'\`. An empty variable counts as none. A \`.env\` file in the working directory is read as
[dotenv](https://github.com/motdotla/dotenv) reads it and Laravel writes it: \`$\` is a dollar sign, nothing changes between single quotes, \`\\"\` is a quote between double ones, and
\`\${NAME}\` outside single quotes is what a line above gives \`NAME\`. What the process was given goes before it. Only that file is read, no \`.env.local\` or \`.env.production\`.
\`PUSHER_APP_ID\`, \`PUSHER_APP_KEY\` and \`PUSHER_APP_SECRET\` make one app, beside those configured otherwise. [Names that other servers use](#names-of-other-servers)
are read too. Where a setting has several names, they may not disagree.

**Flags** are the same path in small letters with hyphens: \`--limits-frame-bytes 16384\`. Put no secrets there: other
users of the machine can read them.

Durations are in seconds and may be fractions; sizes are in bytes of UTF-8, lengths in characters.`;

const FOREIGN = `A \`.env\` written for one of these servers goes on working. Each name stands for the setting beside it, as \`FANFARE_…\` does, and is laid over the file like it. Two names for one
setting that hold different values are refused at the start, in a line that names both; two that hold the same are fine. Empty and, as Laravel reads it, \`null\` count as
none. \`REDIS_…\`, \`PORT\` and \`APP_ENV\`, which other programs have for themselves, count where no other name says anything, and contradict none. What other programs set is not looked at, except that an unknown \`FANFARE_…\` is refused.

\`apps[].…\` is of the one app that the environment makes: from an id, a key and a secret, each under any of its names.
Where \`PUSHER_…\` and \`REVERB_…\` are filled with different ones, \`BROADCAST_CONNECTION\` says which of them counts; without it, they are two apps. Without the three, it is of the only app there is.`;

const UNREAD =
  "Where one of them asks for something that is then otherwise, the server says so when it starts, and `fanfare doctor` and `fanfare config check` do.";

const TLS =
  "`false` leaves TLS out, whatever the file and the certificate's names here say; `true` refuses to start without a certificate";

const APPS = `In the environment: \`FANFARE_APPS\`, as JSON. Each app has its own keys, channels and limits; nothing of one app is seen by another. Without any app, development
mode makes a demo app and keeps it in \`stateDir\`; production refuses to start. Everything in \`defaults\` can be said
again for one app; limits are taken over one by one, a list of channel rules as a whole.`;

const TOKEN = "Exactly one of `secret`, `publicKey` and `jwksUrl` says whose signature counts.";

const HISTORY = `Everything that is published in the channel is kept, by back ends and by clients alike; comings, goings and counts are not. It
is kept in memory, or where the nodes of a cluster keep what they share: \`size\` times the size of an event for each channel. A cache
channel that has a history gives the last event of it that a back end published, for \`ttlS\` instead of \`cacheTtlS\`.`;

const RULES = "`defaults.channels` and the `channels` of an app hold such rules.";

if (import.meta.main) {
  const file = new URL("../../../../docs/configuration.md", import.meta.url);
  if (process.argv.includes("--write")) await Bun.write(file, renderDocumentation());
  else process.stdout.write(renderDocumentation());
}
