/** Every command: its name, its help, its arguments and options, and the file that runs it, which is loaded when it runs. */

import {
  APP,
  APP_SETTINGS,
  AS_JSON,
  DATABASE,
  ID,
  LOCATION,
  OUTBOX,
  SIGNATURE,
  SIGNER,
  SOURCE,
  STOPPING,
  TARGET,
} from "./command-options.ts";
import type { CommandSpec } from "./command-spec.ts";
import { FORMATS } from "./init/formats.ts";
import { shortenHelp } from "./serve-help.ts";

/** By name, with the group each belongs to; a group comes before its commands. */
export const commands: Readonly<Record<string, CommandSpec>> = {
  serve: {
    description: "start the server (the default command)",
    settings: "all",
    options: [
      ["-d, --daemon", "run in the background: the command ends when the server listens"],
      ["--debug", "log each frame, secrets masked"],
    ],
    notes: "Each is also a setting and an environment variable: see docs/configuration.md.",
    examples: ["fanfare serve --port 8080 --log-level debug"],
    prepare: shortenHelp,
    load: async () => (await import("./commands/serve.ts")).serve,
  },
  stop: {
    description: "stop the server that runs here, and wait until it is gone",
    options: [...LOCATION, ...STOPPING],
    examples: ["fanfare stop --timeout 30 --force"],
    load: async () => (await import("./commands/stop.ts")).stop,
  },
  reload: {
    description: "let the running server read its configuration, certificates and log files again",
    options: [
      ...LOCATION,
      [
        "--workers",
        "then swap the workers one by one, so that they run new code: their clients are asked to reconnect",
      ],
      AS_JSON,
    ],
    examples: ["fanfare reload"],
    load: async () => (await import("./commands/reload.ts")).reload,
  },
  drain: {
    description: "let the running server send its clients to other nodes, new ones as well, and go on without them",
    options: [...LOCATION, ["--end", "let it take clients again"]],
    notes: "It lasts until it is ended, or the server stops.",
    examples: ["fanfare drain"],
    load: async () => (await import("./commands/drain.ts")).drain,
  },
  rebalance: {
    description:
      "let the nodes of the cluster that have too many connections ask some to come back, to the other nodes",
    options: [...LOCATION, AS_JSON],
    notes: "Only clients that miss nothing by it are asked. It prints how many, and they are asked little by little.",
    examples: ["fanfare rebalance"],
    load: async () => (await import("./commands/rebalance.ts")).rebalance,
  },
  restart: {
    description: "stop the server that runs in the background, and start it again with the same arguments",
    options: [...LOCATION, ...STOPPING],
    examples: ["fanfare restart"],
    load: async () => (await import("./commands/restart.ts")).restart,
  },
  status: {
    description: "say whether the server runs here, and how it is",
    options: [...LOCATION, AS_JSON],
    notes: "The exit code is 3 when none runs.",
    examples: ["fanfare status --json"],
    load: async () => (await import("./commands/status.ts")).status,
  },
  stats: {
    description: "print connections and channels of a running server",
    options: [...TARGET, ["--state-dir <folder>", "the stateDir of the server that runs here, without --url"], AS_JSON],
    examples: ["fanfare stats", "fanfare stats --url https://ws.example.com --app my-app"],
    load: async () => (await import("./commands/stats.ts")).stats,
  },
  dashboard: {
    description: "print the dashboard's address, with its key",
    options: LOCATION,
    examples: ["fanfare dashboard"],
    load: async () => (await import("./commands/dashboard.ts")).dashboard,
  },
  init: {
    description:
      "write a configuration file here, with every setting explained, and a new app where the environment has none",
    options: [
      ["--format <format>", "how it is written", { default: "ts", choices: FORMATS }],
      ["--force", "overwrite the file that is there; its keys and secrets are lost"],
    ],
    examples: ["fanfare init --format yaml"],
    load: async () => (await import("./commands/init.ts")).init,
  },
  mcp: {
    description: "give a coding agent tools for a running server, over standard input and output (MCP)",
    options: [
      ["--url <url>", "the dashboard's address, as `fanfare dashboard` prints it (default: the server that runs here)"],
      ["--role <role>", "the most that the agent may do", { default: "operate", choices: ["view", "operate"] }],
      ...LOCATION,
    ],
    notes:
      "An account is given by FANFARE_MCP_TOKEN, or by FANFARE_MCP_USER and FANFARE_MCP_PASSWORD. See docs/mcp.md.",
    examples: ["fanfare mcp --role view"],
    load: async () => (await import("./commands/mcp.ts")).mcp,
  },
  config: { description: "check or show the configuration" },
  "config check": {
    description: "say whether the configuration is valid",
    settings: "all",
    examples: ["fanfare config check --config fanfare.config.yaml"],
    load: async () => (await import("./commands/config.ts")).checkConfig,
  },
  "config show": {
    description: "print every setting, without secrets, and where it came from",
    settings: "all",
    options: [AS_JSON],
    examples: ["FANFARE_PORT=8080 fanfare config show"],
    load: async () => (await import("./commands/config.ts")).showConfig,
  },
  listen: {
    description: "print what arrives on a channel",
    arguments: [["<channel>", "the channel, such as chat.room.1 or presence-room"]],
    options: [
      ...TARGET,
      ["--token <token>", "sign in with this token in place of one that is signed with the secret"],
      ["--json", "print each event as one line of JSON"],
    ],
    examples: ["fanfare listen chat.room.1 --url ws://127.0.0.1:9501"],
    load: async () => (await import("./commands/listen.ts")).listenTo,
  },
  publish: {
    description: "push an event to a channel",
    arguments: [
      ["<channel>", "the channel, such as chat.room.1"],
      ["<event>", "the name of the event, such as message"],
      ["<json>", "the data: JSON, or plain text"],
    ],
    options: [
      ...TARGET,
      ["--client-cert <file>", "the certificate to call with (PEM), where the API asks for one"],
      ["--client-key <file>", "its key (PEM)"],
    ],
    examples: [`fanfare publish chat.room.1 message '{"text":"Hello"}'`],
    load: async () => (await import("./commands/publish.ts")).publish,
  },
  token: {
    description: "issue a token (JWT) for a user, to connect with ?token=…",
    options: [
      ["--user <id>", "whose token it is"],
      ["--info <json>", "what others see of the user: JSON, or plain text"],
      [
        "--channels <patterns>",
        "the channels that the user may join, such as chat.*,presence-room (default: not restricted by the token)",
      ],
      ["--watchlist <ids>", "the users whose online state it receives, such as 7,8"],
      ["--expires <time>", "how long it is good, such as 90s, 15m, 1h or 7d", { default: "1h" }],
      ["--audience <name>", "whom it is for (default: what the app expects)"],
      ["--issuer <name>", "who issues it (default: what the app expects)"],
      ...APP,
    ],
    examples: [
      `fanfare token --user 42 --info '{"name":"Ann"}' --channels 'chat.*,presence-room' --expires 1h`,
      "fanfare token inspect eyJhbGciOiJIUzI1NiJ9…",
    ],
    load: async () => (await import("./commands/token.ts")).issueToken,
  },
  "token inspect": {
    description: "show what is in a token, and whether it would be accepted here",
    arguments: [["<jwt>", "the token"]],
    // `token` has --app and --config too, and would take them for its own.
    options: [AS_JSON],
    notes: "It takes --app and --config as `fanfare token` does.",
    examples: ["fanfare token inspect eyJhbGciOiJIUzI1NiJ9…"],
    load: async () => (await import("./commands/token.ts")).inspectToken,
  },
  sign: { description: "show what is signed, and what differs in a signature that is refused" },
  "sign channel": {
    description: "the permission of one connection for a private or presence channel",
    arguments: [
      ["<socket-id>", "the connection's socket id, such as 1234.5678"],
      ["<channel>", "the channel, such as private-chat"],
    ],
    options: [
      ["--data <json>", "the channel data, character by character as the client sends it"],
      SIGNATURE,
      ...SIGNER,
    ],
    examples: [`fanfare sign channel 1234.5678 presence-room --data '{"user_id":"7"}'`],
    load: async () => (await import("./commands/sign.ts")).signChannel,
  },
  "sign user": {
    description: "the permission of one connection to be one user",
    arguments: [
      ["<socket-id>", "the connection's socket id, such as 1234.5678"],
      ["<user-data>", "the user data, character by character as the client sends it"],
    ],
    options: [SIGNATURE, ...SIGNER],
    examples: [`fanfare sign user 1234.5678 '{"id":"7"}'`],
    load: async () => (await import("./commands/sign.ts")).signUser,
  },
  "sign request": {
    description: "a call of the HTTP API",
    arguments: [
      ["<method>", "the HTTP method"],
      ["[path]", "the path as it arrives at the server, such as /apps/shop/events (default: that of --url)"],
    ],
    options: [
      ["--query <k=v&…>", "the parameters; those that a signature needs are added unless --signature is given"],
      ["--body <text or @file>", "the body, exactly as it is sent"],
      ["--signature <hex>", "a signature to compare with", { conflicts: "url" }],
      ["--url <url>", "the whole signed URL, to be compared", { conflicts: "query" }],
      ...SIGNER,
    ],
    examples: [
      "fanfare sign request POST /apps/shop/events --body @event.json",
      "fanfare sign request POST --body @event.json --url 'http://127.0.0.1:9501/apps/shop/events?auth_key=…'",
    ],
    load: async () => (await import("./commands/sign.ts")).signRequest,
  },
  doctor: {
    description: "check all that a server needs, and say what to change",
    settings: "all",
    options: [
      ["--url <url>", "look at the running server through this address too, a proxy in between included"],
      [
        "--watch <seconds>",
        "with --url, hold HTTP streams open for so long, to see whether they are cut",
        { default: "35" },
      ],
      AS_JSON,
    ],
    notes: "The exit code is 1 when there is a problem.",
    examples: [
      "fanfare doctor",
      "fanfare doctor --url https://ws.example.com",
      "fanfare doctor --url https://ws.example.com --watch 120",
    ],
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  migrate: {
    description: "bring the tables of the database up to date",
    settings: DATABASE,
    examples: ["fanfare migrate --database-url postgres://fanfare@db.example/fanfare"],
    load: async () => (await import("./commands/migrate.ts")).migrateDatabase,
  },
  apps: { description: "list and change the apps in the database" },
  "apps list": {
    description: "print the apps, those of the configuration included",
    settings: DATABASE,
    options: [AS_JSON],
    examples: ["fanfare apps list"],
    load: async () => (await import("./commands/apps.ts")).listApps,
  },
  "apps add": {
    description: "make an app; what is not given is generated",
    settings: DATABASE,
    options: [
      ["--id <id>", "names the app in the HTTP API"],
      ["--key <key>", "names the app when a client connects"],
      ["--name <text>", "a name for people"],
      APP_SETTINGS,
    ],
    examples: [`fanfare apps add --id shop --settings '{"clientEvents":true}'`],
    load: async () => (await import("./commands/apps.ts")).addApp,
  },
  "apps edit": {
    description: "change an app; a setting that is null takes its default again",
    arguments: [ID],
    settings: DATABASE,
    options: [
      ["--name <text>", "a name for people"],
      APP_SETTINGS,
      ["--enable", "let clients and calls in again"],
      ["--disable", "refuse clients (4003) and calls (403), and end its connections"],
    ],
    examples: ["fanfare apps edit shop --disable"],
    load: async () => (await import("./commands/apps.ts")).editApp,
  },
  "apps rotate": {
    description: "give an app a new secret; the old ones count until --forget",
    arguments: [ID],
    settings: DATABASE,
    options: [["--forget", "make no new secret, but let only the newest count from now on"]],
    examples: ["fanfare apps rotate shop", "fanfare apps rotate shop --forget"],
    load: async () => (await import("./commands/apps.ts")).rotateSecret,
  },
  "apps remove": {
    description: "delete an app, and end its connections (4001)",
    arguments: [ID],
    settings: DATABASE,
    examples: ["fanfare apps remove shop"],
    load: async () => (await import("./commands/apps.ts")).removeApp,
  },
  webhooks: { description: "list webhooks that were not delivered, and send them again" },
  "webhooks failed": {
    description: "list the failed deliveries, newest first",
    settings: DATABASE,
    options: [
      ["--app <id>", "only those of this app"],
      ["--limit <number>", "most that are listed", { default: "100" }],
      AS_JSON,
    ],
    examples: ["fanfare webhooks failed --app shop"],
    load: async () => (await import("./commands/webhooks.ts")).listFailed,
  },
  "webhooks replay": {
    description: "send failed deliveries again: these, or all of them with --all",
    arguments: [["[ids...]", "their numbers, as `fanfare webhooks failed` lists them"]],
    settings: DATABASE,
    options: [["--all", "all of them"]],
    examples: ["fanfare webhooks replay 17 18", "fanfare webhooks replay --all"],
    load: async () => (await import("./commands/webhooks.ts")).replay,
  },
  outbox: { description: "the tables in applications' databases from which publications are read (`outbox`)" },
  "outbox schema": {
    description: "print the statements that make such a table, for the database's own command line",
    options: [
      ["--dialect <dialect>", "the database", { default: "postgres", choices: ["postgres", "mysql", "sqlite"] }],
      ["--table <name>", "the table", { default: "fanfare_publications" }],
      ["--notify", "PostgreSQL tells of each insert (outbox[].notify)"],
    ],
    examples: ["fanfare outbox schema --dialect postgres | psql shop"],
    load: async () => (await import("./commands/outbox.ts")).printSchema,
  },
  "outbox migrate": {
    description: "make the tables and their functions where they are not there; their role has to be allowed to",
    settings: OUTBOX,
    options: [SOURCE],
    examples: ["fanfare outbox migrate", "fanfare outbox migrate --source shop"],
    load: async () => (await import("./commands/outbox.ts")).migrateOutboxes,
  },
  "outbox failed": {
    description: "list the rows that were set aside because they cannot be published, the latest first",
    settings: OUTBOX,
    options: [SOURCE, ["--limit <number>", "most that are listed of each source", { default: "100" }], AS_JSON],
    examples: ["fanfare outbox failed --source shop"],
    load: async () => (await import("./commands/outbox.ts")).listFailedRows,
  },
  "outbox retry": {
    description: "publish rows that were set aside after all: these, or all of them with --all",
    arguments: [["[ids...]", "their numbers, as `fanfare outbox failed` lists them"]],
    settings: OUTBOX,
    options: [SOURCE, ["--all", "all of them"]],
    examples: ["fanfare outbox retry 17 18 --source shop", "fanfare outbox retry --all"],
    load: async () => (await import("./commands/outbox.ts")).retryRows,
  },
  statistics: { description: "delete statistics from the database" },
  "statistics clean": {
    description: "delete what is older than so many days",
    settings: DATABASE,
    options: [
      ["--app <id>", "only of this app"],
      ["--days <number>", "how many days are kept (default: statistics.keepDays)"],
    ],
    examples: ["fanfare statistics clean --days 30"],
    load: async () => (await import("./commands/statistics.ts")).cleanStatistics,
  },
  "statistics flush": {
    description: "delete everything that was counted",
    settings: DATABASE,
    options: [["--app <id>", "only of this app"]],
    examples: ["fanfare statistics flush --app shop"],
    load: async () => (await import("./commands/statistics.ts")).flushStatistics,
  },
  cluster: { description: "several nodes that are one server" },
  "cluster up": {
    description: "start nodes on this machine, on consecutive ports, to try a cluster out",
    options: [
      ["--nodes <number>", "how many, 1 to 64", { default: "3" }],
      ["--port <number>", "port of the first (default: the one configured here, else 9501)"],
      ["--redis-url <url>", "the Redis they share (default: the one configured here, else one of its own)"],
      ["-c, --config <file>", "read this configuration file and look for no other"],
    ],
    notes: "Ctrl+C stops all of them; one that ends is started again.",
    examples: ["fanfare cluster up --nodes 3"],
    load: async () => (await import("./commands/cluster.ts")).clusterUp,
  },
  completion: {
    description: "print a script that completes commands, options and choices",
    arguments: [["<shell>", "the shell", ["bash", "zsh", "fish"]]],
    examples: ["source <(fanfare completion bash)", "fanfare completion zsh > ~/.zfunc/_fanfare"],
    load: async () => (await import("./completion.ts")).completionScript,
  },
};
