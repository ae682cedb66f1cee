/** What users write as configuration. Generated from the schema by `npm run generate`: do not edit. */
// biome-ignore-all format: generated

/** What a configuration takes, without engine, events and apps. */
export interface SettingsInput {
  /** Off: `fanfare serve` says so and exits with code 0, and `start()` listens nowhere. Default: `true`. */
  readonly enabled?: boolean | undefined;
  /** Address of this machine to listen on, 0.0.0.0 for every one of them; or the path of a Unix socket, for a proxy on this machine. Takes a host name, an IP address or the path of a Unix socket, without scheme and port. Default: `"0.0.0.0"`. */
  readonly host?: string | undefined;
  /** Port to listen on; 0 picks a free one. Takes a whole number from 0 to 65535. Default: `9501`. */
  readonly port?: number | undefined;
  /** Processes that share the port (Linux); "auto" is one for each processor. Takes a whole number from 1 to 256, or "auto". Default: `1`. */
  readonly workers?: number | "auto" | undefined;
  /** Prefix in front of every path, for a reverse proxy that does not strip it, such as `/ws`. Takes empty, or a path such as "/ws" that starts with "/" and does not end with it. Default: `""`. */
  readonly path?: string | undefined;
  /** Development makes a demo app where none is configured and shows its page; production does neither. Default: `"development"`. */
  readonly mode?: "development" | "production" | undefined;
  /** Serves the OpenAPI document of the HTTP API at `/openapi.json`, to everybody. Without it, it is served in development only. */
  readonly openapi?: boolean;
  /** Folder for what the server has to remember, such as the demo app. Takes the name of a folder. Default: `".fanfare"`. */
  readonly stateDir?: string | undefined;
  /** File with the process id. `fanfare serve --daemon` has one in `stateDir` unless another is named. Takes the name of a file. */
  readonly pidFile?: string;
  /** Opens a socket in `stateDir`, for its owner only, by which `fanfare reload`, `status` and `stats` reach the process. `fanfare serve` opens it unless this is false, programs only where it is true. */
  readonly control?: boolean;
  /** Silence after which either side pings the other, in seconds: half of the 60 s after which nginx and most other proxies close a silent connection. Takes a number of seconds from 0.05 to 2147483. Default: `30`. */
  readonly activityTimeoutS?: number | undefined;
  /** Time the pong may take, in seconds. Takes a number of seconds from 0.01 to 2147483. Default: `30`. */
  readonly pongTimeoutS?: number | undefined;
  /** Time clients have to leave when the server stops, in seconds. Takes a number of seconds from 0 to 2147483. Default: `5`. */
  readonly drainTimeoutS?: number | undefined;
  /** Time before that in which the server works on but `/ready` answers 503, so that load balancers stop sending clients, in seconds. Takes a number of seconds from 0 to 2147483. Default: `0`. */
  readonly drainDelayS?: number | undefined;
  /** Time over which clients are asked to leave, so that they do not all come back at once, in seconds; at most, and without it, half of `drainTimeoutS`. Takes a number of seconds from 0 to 2147483. */
  readonly drainSpreadS?: number;
  /** How far the time in a signed API call may be off, in seconds. Takes a number of seconds from 1 to 2147483. Default: `600`. */
  readonly signatureWindowS?: number | undefined;
  /** Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; the client is the right-most address that is none of them. Takes a list of IP addresses, CIDR ranges, "loopback" and "private". Default: `[]`. */
  readonly trustedProxies?: readonly string[] | undefined;
  /** The only addresses that may connect or call; empty for all. Others are answered 403. Takes a list of IP addresses, CIDR ranges, "loopback" and "private". Default: `[]`. */
  readonly allowIps?: readonly string[] | undefined;
  /** Addresses that may neither connect nor call, even if `allowIps` has them. Takes a list of IP addresses, CIDR ranges, "loopback" and "private". Default: `[]`. */
  readonly denyIps?: readonly string[] | undefined;
  /** Pusher clients that name no protocol version are refused (4008). Default: `false`. */
  readonly strictProtocol?: boolean | undefined;
  /** What is logged, and how. */
  readonly log?: LogInput | undefined;
  /** Serve wss:// and https:// directly. Without it, TLS is left to a proxy. */
  readonly tls?: TlsInput;
  /** Work that programs give to threads. */
  readonly tasks?: TasksInput | undefined;
  /** Where things are kept that outlive the process. */
  readonly database?: DatabaseInput | undefined;
  /** What each app did, by the interval, the hour and the day. */
  readonly statistics?: StatisticsInput | undefined;
  /** How webhooks are sent. */
  readonly webhooks?: WebhooksInput | undefined;
  /** How hooks are sent, of all apps. */
  readonly hooks?: HooksInput | undefined;
  /** Who did what through the dashboard, where there is a database. */
  readonly audit?: AuditInput | undefined;
  /** The server's numbers for Prometheus. */
  readonly metrics?: MetricsInput | undefined;
  /** OpenTelemetry: traces, metrics and logs for a collector (OTLP over HTTP). */
  readonly telemetry?: TelemetryInput | undefined;
  /** The dashboard. */
  readonly dashboard?: DashboardInput | undefined;
  /** Redis, where `engine` is "redis". */
  readonly redis?: RedisInput | undefined;
  /** NATS, where `engine` is "nats". */
  readonly nats?: NatsInput | undefined;
  /** Where clients reach this server of a cluster, `wss://ws-1.example.com`: then it is among those that `/nodes` sends them to. Takes an address that begins with ws://, wss://, http:// or https://. */
  readonly nodeUrl?: string;
  /** Silence after which the other servers of a cluster consider one dead, and its members gone, in seconds; clients are notified up to two seconds later. Takes a number of seconds from 0.5 to 2147483. Default: `6`. */
  readonly nodeTimeoutS?: number | undefined;
  /** How the servers of a cluster share the connections. */
  readonly cluster?: ClusterInput | undefined;
  /** Time a publication waits for an engine that is away before it is refused (503), in seconds. Takes a number of seconds from 0.1 to 2147483. Default: `5`. */
  readonly publishWaitS?: number | undefined;
  /** Most bytes of publications that wait like that. Takes a whole number from 1024 to 4294967296. Default: `67108864`. */
  readonly publishWaitBytes?: number | undefined;
  /** Time after which a server that is cut off from its engine closes connections that are signed in or in private channels, because it does not hear who may no longer stay, in seconds. Without it, it keeps them. Takes a number of seconds from 1 to 2147483. */
  readonly accessDoubtS?: number;
  /** Offers clients permessage-deflate, without memory between messages: for slow lines, at 15 µs of processor time for each reader of a frame of 2 KB. What a frame inflates to is bounded by `limits.frameBytes`. Default: `false`. */
  readonly compression?: boolean | undefined;
  /** HTTP in place of a WebSocket, where a network does not let one through. */
  readonly http?: HttpInput | undefined;
  /** How publications reach sockets. */
  readonly fanout?: FanoutInput | undefined;
  /** WebSocket endpoints of your own, each with the code that answers there. See library.md. Takes a list of controllers. Default: `[]`. */
  readonly controllers?: readonly ControllerInput[] | undefined;
  /** Limits of the process, whatever the app. */
  readonly limits?: LimitsInput | undefined;
  /** Tables in applications' databases from which publications are read: what is inserted in a transaction is published once it is committed. Takes a list of objects with `url`. Default: `[]`. */
  readonly outbox?: readonly OutboxInput[] | undefined;
  /** What every app takes unless it says otherwise. */
  readonly defaults?: DefaultsInput | undefined;
}

/** What a configuration takes; everything may be left out. */
export interface ConfigInput extends SettingsInput {
  /** What carries messages and knows who is where: this process's memory, or a Redis or NATS that several servers share. Default: `"memory"`. */
  readonly engine?: "memory" | "redis" | "nats" | undefined;
  /** File with the declaration of the application's events, relative to the configuration file: its default export, or the one that `FILE#EXPORT` names. What clients publish and call is checked by it. See library.md. Takes the name of a file, or FILE#EXPORT. */
  readonly events?: string;
  /** The apps, each with its own keys, channels and limits. Takes a list of apps. Default: `[]`. */
  readonly apps?: readonly AppInput[] | undefined;
}

/** What is logged, and how. */
export interface LogInput {
  /** The lowest level that is logged. `notice` is `info`, and `warning` is `warn`; debug and trace show masked payloads. Default: `"info"`. */
  readonly level?: "trace" | "debug" | "info" | "notice" | "warn" | "warning" | "error" | "fatal" | "silent" | undefined;
  /** How lines look; auto is pretty on a terminal and JSON elsewhere. Default: `"auto"`. */
  readonly format?: "auto" | "pretty" | "json" | undefined;
  /** File that lines are added to; they then go to standard error only where that is a terminal. Takes the name of a file. */
  readonly file?: string;
  /** File for lines of level error and fatal, which stay in the other place as well. Takes the name of a file. */
  readonly errorFile?: string;
  /** When a log file is put aside, its day added to its name: at midnight, local time; at `log.maxBytes`; or never. Default: `"daily"`. */
  readonly rotate?: "daily" | "size" | "none" | undefined;
  /** Most files of each log that are kept when put aside; older ones are deleted. Takes a whole number from 1 up. Default: `14`. */
  readonly keep?: number | undefined;
  /** Size at which a log file is put aside where `log.rotate` is size, in bytes. Takes a whole number from 1024 up. Default: `10485760`. */
  readonly maxBytes?: number | undefined;
}

/** Serve wss:// and https:// directly. Without it, TLS is left to a proxy. */
export interface TlsInput {
  /** File with the certificate and its chain (PEM). Takes the name of a file. */
  readonly certFile: string;
  /** File with the private key (PEM). Takes the name of a file. */
  readonly keyFile: string;
  /** Opens the private key. Takes text, not empty. */
  readonly passphrase?: string;
  /** File with the certificates of those who issued it (PEM), where `certFile` has only the server's own. Takes the name of a file. */
  readonly caFile?: string;
  /** The oldest version of TLS that is spoken. Default: `"1.2"`. */
  readonly minVersion?: "1.2" | "1.3" | undefined;
  /** Cipher suites for TLS 1.2, in OpenSSL's names with colons between; those of 1.3 are fixed. Takes text, not empty. */
  readonly ciphers?: string;
  /** Certificates for further host names (SNI); all other clients get `certFile`. Takes a list of certificates with their `serverName`. Default: `[]`. */
  readonly names?: readonly TlsNameInput[] | undefined;
  /** How often the files are checked for new certificates, in seconds; 0 for never. Takes a number of seconds from 0 to 2147483. Default: `60`. */
  readonly watchS?: number | undefined;
  /** The HTTP API has a port of its own, and only callers with a certificate of these authorities get through. */
  readonly api?: TlsApiInput;
}

/** A certificate for one more host name. */
export interface TlsNameInput {
  /** Host name that clients ask for; `*.a.example` is any one below it. Takes a host name such as "ws.a.example" or "*.a.example". */
  readonly serverName: string;
  /** File with the certificate and its chain (PEM). Takes the name of a file. */
  readonly certFile: string;
  /** File with the private key (PEM). Takes the name of a file. */
  readonly keyFile: string;
  /** Opens the private key. Takes text, not empty. */
  readonly passphrase?: string;
  /** File with the certificates of those who issued it (PEM), where `certFile` has only the server's own. Takes the name of a file. */
  readonly caFile?: string;
}

/** The HTTP API has a port of its own, and only callers with a certificate of these authorities get through. */
export interface TlsApiInput {
  /** Port for API calls; 0 picks a free one. Takes a whole number from 0 to 65535. */
  readonly port: number;
  /** Address to listen on for them, where it is not `host`. Takes a host name or an IP address, without scheme and port. */
  readonly host?: string;
  /** File with the authorities that issue the callers' certificates (PEM). Takes the name of a file. */
  readonly clientCaFile: string;
}

/** Work that programs give to threads. */
export interface TasksInput {
  /** Most threads that `server.task` uses at a time; auto is one for each processor. Takes a whole number from 1 to 256, or "auto". Default: `"auto"`. */
  readonly threads?: "auto" | number | undefined;
  /** Most tasks that wait for a thread; more are refused at once. Takes a whole number from 0 up. Default: `1000`. */
  readonly queue?: number | undefined;
  /** Time one task may run before its thread is ended, in seconds. Takes a number of seconds from 0.001 to 2147483. Default: `60`. */
  readonly timeoutS?: number | undefined;
}

/** Where things are kept that outlive the process. */
export interface DatabaseInput {
  /** Where apps, statistics and webhooks are kept: `sqlite:FILE`, `postgres://…` or `mysql://…`. Without it, `fanfare serve` uses `fanfare.db` in `stateDir`, and a program keeps nothing. Takes "sqlite:FILE", "postgres://…" or "mysql://…", with what is special in the password encoded. */
  readonly url?: string;
  /** The tables are brought up to date at the start. Without it, only in a file of our own: otherwise `fanfare migrate` does it. */
  readonly migrate?: boolean;
}

/** What each app did, by the interval, the hour and the day. */
export interface StatisticsInput {
  /** Statistics are kept, where there is a database. Default: `true`. */
  readonly enabled?: boolean | undefined;
  /** How often the numbers are stored, in seconds. Takes a number of seconds from 1 to 2147483. Default: `60`. */
  readonly intervalS?: number | undefined;
  /** Age at which they are deleted, in days. Takes a whole number from 1 up. Default: `90`. */
  readonly keepDays?: number | undefined;
}

/** How webhooks are sent. */
export interface WebhooksInput {
  /** Time a receiver has to answer, in seconds. Takes a number of seconds from 0.1 to 2147483. Default: `10`. */
  readonly timeoutS?: number | undefined;
  /** Time over which an event is tried again, at growing intervals, before it counts as a failed delivery, in seconds. Takes a number of seconds from 0.001 to 2147483. Default: `300`. */
  readonly retryForS?: number | undefined;
  /** Age at which failed deliveries are deleted, in days. Takes a whole number from 1 up. Default: `30`. */
  readonly keepDays?: number | undefined;
  /** Time that channel_vacated and member_removed are held back, and dropped if undone, in seconds. Takes a number of seconds from 0 to 2147483. Default: `3`. */
  readonly leaveDelayS?: number | undefined;
  /** Receivers may have private addresses, and be on this machine. Default: `false`. */
  readonly allowPrivate?: boolean | undefined;
}

/** How hooks are sent, of all apps. */
export interface HooksInput {
  /** Back ends of apps in the database, or of a program's provider, may have private addresses. Those of the configuration always may. Default: `false`. */
  readonly allowPrivate?: boolean | undefined;
  /** Most requests to one app's back end at a time, from each process. Takes a whole number from 1 up. Default: `256`. */
  readonly concurrency?: number | undefined;
  /** Most that wait for that, each no longer than its `timeoutS`; more count as not answered. Takes a whole number from 0 up. Default: `1024`. */
  readonly waiting?: number | undefined;
}

/** Who did what through the dashboard, where there is a database. */
export interface AuditInput {
  /** Age at which entries are deleted, in days. Takes a whole number from 1 up. Default: `365`. */
  readonly keepDays?: number | undefined;
}

/** The server's numbers for Prometheus. */
export interface MetricsInput {
  /** `/metrics` answers. Default: `true`. */
  readonly enabled?: boolean | undefined;
  /** Addresses that may read them without the token. Behind a proxy that is not in `trustedProxies` none may. Takes a list of IP addresses, CIDR ranges, "loopback" and "private". Default: `["loopback","private"]`. */
  readonly allowIps?: readonly string[] | undefined;
  /** Lets anyone read them who sends it as `Authorization: Bearer`. Takes text, not empty. */
  readonly token?: string;
  /** The numbers have soketi's names as well, for dashboards that were made for it. Default: `false`. */
  readonly soketiNames?: boolean | undefined;
}

/** OpenTelemetry: traces, metrics and logs for a collector (OTLP over HTTP). */
export interface TelemetryInput {
  /** Off: nothing is sent, whatever else is set. Default: `true`. */
  readonly enabled?: boolean | undefined;
  /** Where a collector takes them, `http://127.0.0.1:4318`; the path of each is put behind it. Without it, only what has an address of its own is sent. Takes an http:// or https:// address. */
  readonly endpoint?: string;
  /** Traces are sent. Default: `true`. */
  readonly traces?: boolean | undefined;
  /** The numbers of `/metrics` are sent. Default: `true`. */
  readonly metrics?: boolean | undefined;
  /** The lines of the log are sent. Default: `true`. */
  readonly logs?: boolean | undefined;
  /** Another address for traces alone, the whole of it: `http://127.0.0.1:4318/v1/traces`. Takes an http:// or https:// address. */
  readonly tracesEndpoint?: string;
  /** Another address for metrics alone, the whole of it: `http://127.0.0.1:4318/v1/metrics`. Takes an http:// or https:// address. */
  readonly metricsEndpoint?: string;
  /** Another address for logs alone, the whole of it: `http://127.0.0.1:4318/v1/logs`. Takes an http:// or https:// address. */
  readonly logsEndpoint?: string;
  /** How they are written. Default: `"http/protobuf"`. */
  readonly protocol?: "http/protobuf" | "http/json" | undefined;
  /** Headers for the collector. Takes an object of header names and their text. Default: `{}`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Time the collector has to answer, in seconds. Takes a number of seconds from 0.1 to 2147483. Default: `10`. */
  readonly timeoutS?: number | undefined;
  /** What the server is called there. Takes text. Default: `"fanfare"`. */
  readonly serviceName?: string | undefined;
  /** More about the server, such as `deployment.environment.name`. Takes an object of names and their text. Default: `{}`. */
  readonly resource?: Readonly<Record<string, string>> | undefined;
  /** Which traces are recorded. With `parentbased_…` whoever calls with a trace of its own has decided already. Default: `"parentbased_traceidratio"`. */
  readonly sampler?: "always_on" | "always_off" | "traceidratio" | "parentbased_always_on" | "parentbased_always_off" | "parentbased_traceidratio" | undefined;
  /** For `…traceidratio`: which part, 0 for none at all, 1 for all. Takes a number from 0 to 1. Default: `0.01`. */
  readonly sampleRatio?: number | undefined;
  /** How often metrics are sent, in seconds. Takes a number of seconds from 1 to 2147483. Default: `60`. */
  readonly metricsIntervalS?: number | undefined;
  /** Native clients get the `traceparent` of events whose trace is recorded, so that it can end in them. Default: `false`. */
  readonly traceparent?: boolean | undefined;
}

/** The dashboard. */
export interface DashboardInput {
  /** Whether there is a dashboard. Default: `true`. */
  readonly enabled?: boolean | undefined;
  /** Whether each node keeps what happened lately in its memory, so that a console that is opened afterwards is not empty: at most 1,000 entries (about 1 MB), their payloads cut and masked, and of each second no more than 20 messages, 50 refusals and errors, and 50 others. Default: `true`. */
  readonly recentEvents?: boolean | undefined;
  /** Where it is. Takes a path such as "/dashboard" that starts with "/" and does not end with it. Default: `"/dashboard"`. */
  readonly path?: string | undefined;
  /** Signs in the user `admin`, who may do everything; in plain text, at least 12 characters. Takes text of at least 12 characters. */
  readonly password?: string;
  /** Who may sign in. Without users, password, token and a gate of the program's, only who has the key of the printed address has access, and only in development. Takes a list of objects with `name` and `password`. Default: `[]`. */
  readonly users?: readonly DashboardUserInput[] | undefined;
  /** JSON Web Tokens sign in as well: `sub` is the name, `role` the role, and `exp` has to be there. */
  readonly token?: DashboardTokenInput;
  /** Time after which users have to sign in again, in seconds. Takes a number of seconds from 60 to 2147483. Default: `43200`. */
  readonly sessionS?: number | undefined;
}

/** A user who may sign in. */
export interface DashboardUserInput {
  /** The user signs in with this name. Takes a name without spaces. */
  readonly name: string;
  /** The hash of the password, by argon2 or bcrypt. Takes the hash of a password by argon2 or bcrypt, such as `bun -e 'console.log(await Bun.password.hash(…))'` prints. */
  readonly password: string;
  /** What the user may do: `view` looks, `operate` also sends events and disconnects, `admin` also edits apps. Default: `"view"`. */
  readonly role?: "view" | "operate" | "admin" | undefined;
}

/** JSON Web Tokens sign in as well: `sub` is the name, `role` the role, and `exp` has to be there. */
export interface DashboardTokenInput {
  /** Shared secret, for HS256; at least 32 characters. Takes text of at least 32 characters. */
  readonly secret?: string;
  /** The issuer's public key (PEM), for RS256, ES256 and EdDSA. Takes a public key in PEM form, from "-----BEGIN PUBLIC KEY-----" to its end. */
  readonly publicKey?: string;
  /** Where the issuer publishes its keys. Takes an http:// or https:// address. */
  readonly jwksUrl?: string;
  /** The audience that a token has to name. Takes text, not empty. */
  readonly audience?: string;
  /** The issuer that a token has to name. Takes text, not empty. */
  readonly issuer?: string;
}

/** Redis, where `engine` is "redis". */
export interface RedisInput {
  /** Redis in one line, `redis://user:password@host:port/db`, `rediss://` for TLS, `unix:///path` for a Unix socket; takes precedence over the settings for each part. Takes an address such as redis://user:password@host:6379/0, which may begin with rediss://, tcp://, tls:// or unix:// as well. */
  readonly url?: string;
  /** Host of a server on its own, or its Unix socket. Takes a host name, an IP address or the path of a Unix socket, without scheme and port. Default: `"127.0.0.1"`. */
  readonly host?: string | undefined;
  /** Port of a server on its own. Takes a whole number from 1 to 65535. Default: `6379`. */
  readonly port?: number | undefined;
  /** User of Redis's access control lists. Takes text, not empty. */
  readonly username?: string;
  /** Password of the user, or of the server where there are no users. Takes text, not empty. */
  readonly password?: string;
  /** Number of the database; a cluster has only 0. Takes a whole number from 0 to 1000000. Default: `0`. */
  readonly db?: number | undefined;
  /** Talk to Redis by TLS. Default: `false`. */
  readonly tls?: boolean | undefined;
  /** File with the certificate authority of Redis's certificate (PEM), where the system does not know it. Takes the name of a file. */
  readonly caFile?: string;
  /** Sentinels that say which server is the master; `host` and `port` are then not used. Takes a list of hosts with ports. Default: `[]`. */
  readonly sentinels?: readonly string[] | undefined;
  /** What the sentinels call the master. Takes text without spaces. Default: `"mymaster"`. */
  readonly sentinelMaster?: string | undefined;
  /** Password of the sentinels. Takes text, not empty. */
  readonly sentinelPassword?: string;
  /** Some servers of a Redis Cluster, which know the others; `host` and `port` are then not used. Takes a list of hosts with ports. Default: `[]`. */
  readonly cluster?: readonly string[] | undefined;
  /** Begins every key and every channel of Redis that this server uses. Takes text of up to 64 letters, digits, "-", "_", "." and ":". Default: `"fanfare"`. */
  readonly prefix?: string | undefined;
  /** Time a connection to Redis may take, in seconds. Takes a number of seconds from 0.05 to 2147483. Default: `2`. */
  readonly connectTimeoutS?: number | undefined;
  /** Time an answer of Redis may take, in seconds; then the connection is closed and made anew. Takes a number of seconds from 0.05 to 2147483. Default: `1.5`. */
  readonly commandTimeoutS?: number | undefined;
  /** Longest pause between attempts to reach Redis, in seconds. When it is back, publications wait that long for the other nodes. Takes a number of seconds from 0.05 to 2147483. Default: `0.5`. */
  readonly reconnectMaxS?: number | undefined;
}

/** NATS, where `engine` is "nats". */
export interface NatsInput {
  /** Servers of NATS, with JetStream; those of a cluster announce each other. Takes a list of one or more hosts with ports. Default: `["127.0.0.1:4222"]`. */
  readonly servers?: readonly string[] | undefined;
  /** User of NATS. Takes text, not empty. */
  readonly user?: string;
  /** Password of the user. Takes text, not empty. */
  readonly password?: string;
  /** Token, where NATS asks for one instead of a user. Takes text, not empty. */
  readonly token?: string;
  /** Seed of an NKey (`SU…`), where NATS asks for one instead of a user. Takes text, not empty. */
  readonly nkeySeed?: string;
  /** Credentials file (`.creds`) of a user with a JWT, read at the start. Takes the name of a file. */
  readonly credsFile?: string;
  /** Talk to NATS by TLS even where it does not insist on it. Default: `false`. */
  readonly tls?: boolean | undefined;
  /** File with the certificate authority of NATS's certificate (PEM), where the system does not know it. Takes the name of a file. */
  readonly caFile?: string;
  /** Name of the stream in NATS, and the beginning of every subject that this server uses. Takes text of up to 32 letters, digits, "-" and "_". Default: `"fanfare"`. */
  readonly prefix?: string | undefined;
  /** Servers of a NATS cluster that each keep the stream, decided when it is made; auto is three in a cluster of three or more, else one. With one, all is lost with that server, and made anew. Takes auto, 1, 3 or 5. Default: `"auto"`. */
  readonly replicas?: "auto" | 1 | 3 | 5 | undefined;
  /** Time a connection to NATS may take, in seconds. Takes a number of seconds from 0.05 to 2147483. Default: `2`. */
  readonly connectTimeoutS?: number | undefined;
  /** Time an answer of NATS may take, in seconds. Takes a number of seconds from 0.05 to 2147483. Default: `1.5`. */
  readonly requestTimeoutS?: number | undefined;
  /** Longest pause between attempts to reach NATS, in seconds. When it is back, publications wait that long for the other nodes. Takes a number of seconds from 0.05 to 2147483. Default: `0.5`. */
  readonly reconnectMaxS?: number | undefined;
}

/** How the servers of a cluster share the connections. */
export interface ClusterInput {
  /** When servers that have more connections than their even share ask clients to reconnect, those that miss nothing by it: after another server has joined as well as on `fanfare rebalance`, or on that only. Default: `"on-join"`. */
  readonly rebalance?: "on-join" | "manual" | undefined;
  /** Time after a server has joined before they do, in seconds: as long as the load balancer takes to find it. Takes a number of seconds from 0 to 2147483. Default: `15`. */
  readonly rebalanceDelayS?: number | undefined;
  /** Time that a client which was asked to reconnect may take, in seconds. Until it is over its user stays a member of presence channels, so that nobody is notified of a departure; only clients whose channels keep events for as long are asked. Takes a number of seconds from 3 to 2147483. Default: `10`. */
  readonly rebalanceHoldS?: number | undefined;
  /** Most connections that each server asks to reconnect per second. Takes a whole number from 1 up. Default: `100`. */
  readonly rebalancePerS?: number | undefined;
}

/** HTTP in place of a WebSocket, where a network does not let one through. */
export interface HttpInput {
  /** Answers pusher-js's `xhr_streaming` and `xhr_polling`. Default: `true`. */
  readonly pusher?: boolean | undefined;
  /** Answers the native protocol over HTTP, below `/rt/`. Default: `true`. */
  readonly native?: boolean | undefined;
  /** Silence on a stream after which the server writes a sign of life, in seconds: less than the 60 s after which nginx and most other proxies close a silent response. Takes a number of seconds from 0.1 to 2147483. Default: `25`. */
  readonly keepAliveS?: number | undefined;
  /** How long a poll waits for something to report, in seconds. Takes a number of seconds from 0.1 to 2147483. Default: `25`. */
  readonly pollS?: number | undefined;
  /** How long a connection lives while no request reads from it, in seconds; then its members leave. Takes a number of seconds from 0.1 to 2147483. Default: `10`. */
  readonly sessionTimeoutS?: number | undefined;
  /** Whether a client is told the address of the node that has its connection, so that its requests need not be passed on: where `nodeUrl` names another host than the client has used, and the same scheme and port. Default: `"auto"`. */
  readonly pin?: "auto" | "off" | undefined;
}

/** How publications reach sockets. */
export interface FanoutInput {
  /** Longest time a publication waits so that one write carries several, in milliseconds; 0 holds nothing. Only where this time has seen 32 writes to sockets, or the one before it has put off as many, and only in a channel that was written to within this time: a lone message never waits, and the order of what a client receives stays. Takes a whole number from 0 to 100. Default: `0`. */
  readonly holdMs?: number | undefined;
}

/** A controller at a path. */
export interface ControllerInput {
  /** Where it answers: `/rooms/:room`, `/files/*`. Takes text, not empty. */
  readonly path: string;
  /** File with the controller, relative to the configuration file: its default export, or the one that `FILE#EXPORT` names, a class or an object. Takes the name of a file, or FILE#EXPORT. */
  readonly module?: string;
  /** File with this one function, in place of the controller's. Takes the name of a file, or FILE#EXPORT. */
  readonly onHandshake?: string;
  /** File with this one function, in place of the controller's. Takes the name of a file, or FILE#EXPORT. */
  readonly onOpen?: string;
  /** File with this one function, in place of the controller's. Takes the name of a file, or FILE#EXPORT. */
  readonly onMessage?: string;
  /** File with this one function, in place of the controller's. Takes the name of a file, or FILE#EXPORT. */
  readonly onClose?: string;
  /** File with this one function, in place of the controller's. Takes the name of a file, or FILE#EXPORT. */
  readonly onError?: string;
  /** File with this one function, in place of the controller's. Takes the name of a file, or FILE#EXPORT. */
  readonly onRequest?: string;
  /** File with this one function, in place of the controller's. Takes the name of a file, or FILE#EXPORT. */
  readonly onDisconnect?: string;
  /** File with this one function, in place of the controller's. Takes the name of a file, or FILE#EXPORT. */
  readonly onDrain?: string;
}

/** Limits of the process, whatever the app. */
export interface LimitsInput {
  /** Most connections of the process. Takes a whole number from 1 up. Default: `100000`. */
  readonly connections?: number | undefined;
  /** Resident memory above which the process takes no more connections (4100) and `/ready` answers 503, in bytes. Without it, nine tenths of what the cgroup allows. Takes a whole number from 1 up, or "unlimited". */
  readonly memoryBytes?: number | "unlimited";
  /** Most connections of one address at a time in this process, an IPv6 /64 network counting as one; above it handshakes are answered 429. Each of `workers`, and each node of a cluster, counts those that reach it: of N workers, one address may have up to N times as many, and one that is refused may get in at its next try, with another worker. Loopback and private addresses count only where `trustedProxies` is set, trusted proxies never. Takes a whole number from 1 up, or "unlimited". Default: `"unlimited"`. */
  readonly connectionsPerIp?: number | "unlimited" | undefined;
  /** Most new connections of one address per minute, counted and refused like `connectionsPerIp`, by each process for itself. As many may come at once, and then one each time a share of the minute is over. Takes a whole number from 1 up, or "unlimited". Default: `"unlimited"`. */
  readonly connectionRatePerIp?: number | "unlimited" | undefined;
  /** Largest frame a client may send, in bytes. Without it, more where `eventDataBytes` is: room for the largest event with all of its data escaped (six times its bytes). Takes a whole number from 256 to 1073741824. Default: `655360`. */
  readonly frameBytes?: number | undefined;
  /** Largest body of an API call, in bytes. Without it, more where `eventDataBytes` or `batchSize` is: room for a batch of the largest events. Takes a whole number from 256 to 1073741824. Default: `6553600`. */
  readonly httpBodyBytes?: number | undefined;
  /** Most bytes that wait for one slow client before it is disconnected. Without it, more where `eventDataBytes` is: room for twenty of the largest events at once. Takes a whole number from 1024 to 1073741824. Default: `13107200`. */
  readonly outboundBufferBytes?: number | undefined;
  /** How far a client may be behind, in seconds, before it is disconnected: while anything is sent to it, a WebSocket ping follows every 10 s, and the pong comes when it has read up to there. Takes a number of seconds from 0.1 to 2147483. Default: `30`. */
  readonly readerLagS?: number | undefined;
  /** Deepest nesting of JSON that is read. Takes a whole number from 2 to 1000. Default: `32`. */
  readonly jsonDepth?: number | undefined;
  /** Most commands of one connection that wait for their turn; one that sends more is closed (4100). Takes a whole number from 1 up. Default: `20000`. */
  readonly waitingCommands?: number | undefined;
  /** Most bytes of one connection's commands that wait for their turn, each counting 32 more; one that sends more is closed (4100). Takes a whole number from 1024 to 1073741824. Default: `4194304`. */
  readonly waitingBytes?: number | undefined;
  /** Time a client has to send a request's body, or its next request, in seconds; its headers always have ten. Takes a number of seconds from 0.001 to 2147483. Default: `10`. */
  readonly handshakeTimeoutS?: number | undefined;
}

/** One table. */
export interface OutboxInput {
  /** The application's database: `postgres://…`, `mysql://…`, `mariadb://…` or `sqlite:FILE`. Takes "sqlite:FILE", "postgres://…" or "mysql://…", with what is special in the password encoded. */
  readonly url: string;
  /** Names the source in metrics, messages and commands. Without it, the table's name; has to differ from that of the others. Keep it: what is being published is known by it. Takes text of up to 64 letters, digits, "-", "_" and ".". */
  readonly name?: string;
  /** The table, perhaps with its schema in front: `shop.fanfare_publications`. Takes a table's name of letters, digits and "_", perhaps with its schema and a dot in front. Default: `"fanfare_publications"`. */
  readonly table?: string | undefined;
  /** The app that all rows are published in, by its id. Without it each row names its own. Takes text, not empty. */
  readonly app?: string;
  /** How often an empty table is looked at, in milliseconds; a full one is read without a pause. Takes a whole number from 10 to 60000. Default: `100`. */
  readonly pollMs?: number | undefined;
  /** Most rows that are read at a time. Takes a whole number from 1 to 1000. Default: `200`. */
  readonly batch?: number | undefined;
  /** PostgreSQL tells of each insert, so that rows are published at once: `fanfare outbox migrate` then makes a trigger. Its commits wait for each other: for databases with few writers. Default: `false`. */
  readonly notify?: boolean | undefined;
}

/** What every app takes unless it says otherwise. */
export interface DefaultsInput {
  /** Clients may publish `client-…` events in private and presence channels. Default: `false`. */
  readonly clientEvents?: boolean | undefined;
  /** Subscribers of channels without presence are sent how many they are. Default: `false`. */
  readonly subscriptionCounts?: boolean | undefined;
  /** Clients of the native protocol may connect without a token. Default: `false`. */
  readonly anonymous?: boolean | undefined;
  /** Connections that did not come over TLS are refused. Default: `false`. */
  readonly requireTls?: boolean | undefined;
  /** Connections that neither sign in nor join a private channel in time are closed. Default: `false`. */
  readonly requireAuthentication?: boolean | undefined;
  /** Clients that send no Origin header may connect. Browsers always send one; phones and services do not. Default: `true`. */
  readonly allowMissingOrigin?: boolean | undefined;
  /** What the app does is counted and kept, where `statistics` are. Default: `true`. */
  readonly statistics?: boolean | undefined;
  /** A signed API call counts once: the same one again within `signatureWindowS` is refused (401), even if meant. Default: `false`. */
  readonly replayProtection?: boolean | undefined;
  /** The limits of each app. */
  readonly limits?: DefaultsLimitsInput | undefined;
  /** What all channels of each app keep, for clients that come back. */
  readonly recovery?: DefaultsRecoveryInput | undefined;
  /** Webpages that may connect; empty for all. `https://a.example` is one origin, `a.example` a host with any scheme and port, `*.a.example` the hosts below it. Takes a list of origins and hosts. Default: `[]`. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** Rules for channels by name; the first that matches wins. Takes a list of channel rules. Default: `[]`. */
  readonly channels?: readonly ChannelRuleInput[] | undefined;
}

/** The limits of each app. */
export interface DefaultsLimitsInput {
  /** Most connections of the app. Takes a whole number from 1 up, or "unlimited". Default: `"unlimited"`. */
  readonly connections?: number | "unlimited" | undefined;
  /** Most channels that one connection may be in. Takes a whole number from 1 up, or "unlimited". Default: `10000`. */
  readonly channelsPerConnection?: number | "unlimited" | undefined;
  /** Longest channel name, in characters. Takes a whole number from 1 to 1000. Default: `200`. */
  readonly channelNameLength?: number | undefined;
  /** Longest event name, in characters. Takes a whole number from 1 to 1000. Default: `200`. */
  readonly eventNameLength?: number | undefined;
  /** Largest data of one event, in bytes; 10240 is Pusher's. Takes a whole number from 1 up. Default: `102400`. */
  readonly eventDataBytes?: number | undefined;
  /** Most channels that one API call may publish to. Takes a whole number from 1 up. Default: `100`. */
  readonly channelsPerTrigger?: number | undefined;
  /** Most events in one batch of the API. Takes a whole number from 1 up. Default: `10`. */
  readonly batchSize?: number | undefined;
  /** Most users in one presence channel. Takes a whole number from 1 up, or "unlimited". Default: `100`. */
  readonly presenceMembers?: number | "unlimited" | undefined;
  /** Largest data of one presence member, in bytes. Takes a whole number from 1 up. Default: `1024`. */
  readonly memberDataBytes?: number | undefined;
  /** Largest state that the clients of one presence member may give it, in bytes of JSON. Takes a whole number from 1 up. Default: `1024`. */
  readonly memberStateBytes?: number | undefined;
  /** Longest user id, in characters. Takes a whole number from 1 to 1000. Default: `128`. */
  readonly userIdLength?: number | undefined;
  /** Most users that one user may watch. Takes a whole number from 0 up. Default: `100`. */
  readonly watchlistSize?: number | undefined;
  /** Most events that one connection may publish per second. Takes a whole number from 1 up. Default: `10`. */
  readonly clientEventsPerSecond?: number | undefined;
  /** Most changes of its state that one connection may make per second, in all its presence channels together. Takes a whole number from 1 up. Default: `2`. */
  readonly memberUpdatesPerSecond?: number | undefined;
  /** Most subscriptions, and pages of history, that one connection may ask for per second; above it they are refused (429). Unlimited, they are carried out at the server's pace. Takes a whole number from 1 up, or "unlimited". Default: `"unlimited"`. */
  readonly subscribesPerSecond?: number | "unlimited" | undefined;
  /** Most frames of any kind, pings too, that one connection may send per second; one that sends more is closed (4100). Takes a whole number from 1 up, or "unlimited". Default: `"unlimited"`. */
  readonly framesPerSecond?: number | "unlimited" | undefined;
  /** Most signed API calls per second in the whole cluster, and of each node while the engine is away; above it they are answered 429. Takes a whole number from 1 up, or "unlimited". Default: `"unlimited"`. */
  readonly apiRequestsPerSecond?: number | "unlimited" | undefined;
  /** Time a connection has to sign in or join a private channel where `requireAuthentication` is on, in seconds. Takes a number of seconds from 0.001 to 2147483. Default: `30`. */
  readonly unauthenticatedTimeoutS?: number | undefined;
  /** How long the server remembers that a user was terminated, in seconds: as long as tokens live. A token issued before is refused for that time. Takes a number of seconds from 0.001 to 2147483. Default: `86400`. */
  readonly revocationTtlS?: number | undefined;
}

/** What all channels of each app keep, for clients that come back. */
export interface DefaultsRecoveryInput {
  /** All channels keep what was published last, so that clients that recover get what they missed: cache channels, and those with a `history` of their own, aside. Default: `false`. */
  readonly enabled?: boolean | undefined;
  /** Most events that are kept of one channel. Takes a whole number from 1 to 10000. Default: `100`. */
  readonly size?: number | undefined;
  /** Time each of them is kept, in seconds. Takes a number of seconds from 0.001 to 3600. Default: `300`. */
  readonly ttlS?: number | undefined;
  /** Most bytes that all channels of the app keep together; the oldest events go first. Takes a whole number from 1024 up. Default: `67108864`. */
  readonly bytes?: number | undefined;
}

/** What applies to the channels of one pattern. */
export interface ChannelRuleInput {
  /** Names the channels the rule is for: a full name, or a pattern with `*` (any run) and `?` (one). Takes text, not empty. */
  readonly match: string;
  /** What subscribed clients may publish: nothing, `client-…` events, or any event. */
  readonly clientPublish?: "none" | "client-events" | "any";
  /** Time a cache channel keeps its last event, in seconds. Takes a number of seconds from 0.001 up. */
  readonly cacheTtlS?: number;
  /** Most connections that may subscribe to one such channel. Takes a whole number from 1 up, or "unlimited". */
  readonly maxSubscribers?: number | "unlimited";
  /** Subscribing needs permission, as in channels whose name begins with `private-`; those need it in any case. */
  readonly private?: boolean;
  /** Subscribing needs a connection that is signed in. */
  readonly auth?: boolean;
  /** What is kept of the channel, so that clients of the native protocol can resume and the API can read it. */
  readonly history?: DefaultsChannelHistoryInput;
  /** The last events that each new subscriber is sent, of any protocol, where it does not say itself what it wants of the past. Needs `history`. */
  readonly rewind?: DefaultsChannelRewindInput;
  /** Subscribers of the native protocol may read what is kept of the channel: by time as well if true, and only by resuming if false. Without it, by position. */
  readonly clientHistory?: boolean;
  /** Whether the app's `recovery` is for these channels, where they have no `history`. Without it, it is. */
  readonly recovery?: boolean;
}

/** What is kept of the channel, so that clients of the native protocol can resume and the API can read it. */
export interface DefaultsChannelHistoryInput {
  /** Most events that are kept of one such channel. Takes a whole number from 1 to 10000. Default: `100`. */
  readonly size?: number | undefined;
  /** Time each of them is kept, in seconds. Takes a number of seconds from 0.001 to 604800. Default: `86400`. */
  readonly ttlS?: number | undefined;
}

/** The last events that each new subscriber is sent, of any protocol, where it does not say itself what it wants of the past. Needs `history`. */
export interface DefaultsChannelRewindInput {
  /** How many. Takes a whole number from 1 to 1000. */
  readonly count: number;
}

/** One app. */
export interface AppInput {
  /** Names the app in the HTTP API: `/apps/ID/events`. Takes text of up to 128 letters, digits, "-", "_" and ".". */
  readonly id: string;
  /** Names the app when a client connects: `/app/KEY`. Public. Takes text of up to 128 letters, digits, "-", "_" and ".". */
  readonly key: string;
  /** Signs API calls and permissions. Either this or `secrets`. Takes text, not empty. */
  readonly secret?: string;
  /** Several secrets that are valid at once, for rotation: the first signs, all of them verify. Takes a list of one or more secrets. */
  readonly secrets?: readonly string[];
  /** A name for people. Without it, the id. Takes text of 1 to 255 characters, without control characters. */
  readonly name?: string;
  /** A disabled app refuses connections and API calls. Default: `true`. */
  readonly enabled?: boolean | undefined;
  /** Clients may publish `client-…` events in private and presence channels. Without it, as in `defaults`. */
  readonly clientEvents?: boolean;
  /** Subscribers of channels without presence are sent how many they are. Without it, as in `defaults`. */
  readonly subscriptionCounts?: boolean;
  /** Clients of the native protocol may connect without a token. Without it, as in `defaults`. */
  readonly anonymous?: boolean;
  /** Connections that did not come over TLS are refused. Without it, as in `defaults`. */
  readonly requireTls?: boolean;
  /** Connections that neither sign in nor join a private channel in time are closed. Without it, as in `defaults`. */
  readonly requireAuthentication?: boolean;
  /** Clients that send no Origin header may connect. Browsers always send one; phones and services do not. Without it, as in `defaults`. */
  readonly allowMissingOrigin?: boolean;
  /** What the app does is counted and kept, where `statistics` are. Without it, as in `defaults`. */
  readonly statistics?: boolean;
  /** A signed API call counts once: the same one again within `signatureWindowS` is refused (401), even if meant. Without it, as in `defaults`. */
  readonly replayProtection?: boolean;
  /** Limits of this app that differ from `defaults.limits`. Without it, as in `defaults`. */
  readonly limits?: AppLimitsInput;
  /** Recovery of this app, where it differs from `defaults.recovery`. Without it, as in `defaults`. */
  readonly recovery?: AppRecoveryInput;
  /** Webpages that may connect; empty for all. `https://a.example` is one origin, `a.example` a host with any scheme and port, `*.a.example` the hosts below it. Takes a list of origins and hosts. Without it, as in `defaults`. */
  readonly allowedOrigins?: readonly string[];
  /** Rules that replace `defaults.channels`. Takes a list of channel rules. Without it, as in `defaults`. */
  readonly channels?: readonly ChannelRuleInput[];
  /** Who is sent what happens in the app's channels. Takes a list of objects with `url`. */
  readonly webhooks?: readonly AppWebhookInput[];
  /** How tokens are verified. Without it: HS256 with any of the app's secrets. */
  readonly token?: AppTokenInput;
  /** What the app's back end is asked over HTTP, and where. A hook is on where it is `true` or an object. */
  readonly hooks?: AppHooksInput;
  /** A signed-in user may have one connection, in the whole cluster: a second one ends the first (`replace`), or is refused (`refuse`). */
  readonly singleConnection?: "replace" | "refuse";
}

/** Limits of this app that differ from `defaults.limits`. */
export interface AppLimitsInput {
  /** Most connections of the app. Takes a whole number from 1 up, or "unlimited". Without it, as in `defaults`. */
  readonly connections?: number | "unlimited";
  /** Most channels that one connection may be in. Takes a whole number from 1 up, or "unlimited". Without it, as in `defaults`. */
  readonly channelsPerConnection?: number | "unlimited";
  /** Longest channel name, in characters. Takes a whole number from 1 to 1000. Without it, as in `defaults`. */
  readonly channelNameLength?: number;
  /** Longest event name, in characters. Takes a whole number from 1 to 1000. Without it, as in `defaults`. */
  readonly eventNameLength?: number;
  /** Largest data of one event, in bytes; 10240 is Pusher's. Takes a whole number from 1 up. Without it, as in `defaults`. */
  readonly eventDataBytes?: number;
  /** Most channels that one API call may publish to. Takes a whole number from 1 up. Without it, as in `defaults`. */
  readonly channelsPerTrigger?: number;
  /** Most events in one batch of the API. Takes a whole number from 1 up. Without it, as in `defaults`. */
  readonly batchSize?: number;
  /** Most users in one presence channel. Takes a whole number from 1 up, or "unlimited". Without it, as in `defaults`. */
  readonly presenceMembers?: number | "unlimited";
  /** Largest data of one presence member, in bytes. Takes a whole number from 1 up. Without it, as in `defaults`. */
  readonly memberDataBytes?: number;
  /** Largest state that the clients of one presence member may give it, in bytes of JSON. Takes a whole number from 1 up. Without it, as in `defaults`. */
  readonly memberStateBytes?: number;
  /** Longest user id, in characters. Takes a whole number from 1 to 1000. Without it, as in `defaults`. */
  readonly userIdLength?: number;
  /** Most users that one user may watch. Takes a whole number from 0 up. Without it, as in `defaults`. */
  readonly watchlistSize?: number;
  /** Most events that one connection may publish per second. Takes a whole number from 1 up. Without it, as in `defaults`. */
  readonly clientEventsPerSecond?: number;
  /** Most changes of its state that one connection may make per second, in all its presence channels together. Takes a whole number from 1 up. Without it, as in `defaults`. */
  readonly memberUpdatesPerSecond?: number;
  /** Most subscriptions, and pages of history, that one connection may ask for per second; above it they are refused (429). Unlimited, they are carried out at the server's pace. Takes a whole number from 1 up, or "unlimited". Without it, as in `defaults`. */
  readonly subscribesPerSecond?: number | "unlimited";
  /** Most frames of any kind, pings too, that one connection may send per second; one that sends more is closed (4100). Takes a whole number from 1 up, or "unlimited". Without it, as in `defaults`. */
  readonly framesPerSecond?: number | "unlimited";
  /** Most signed API calls per second in the whole cluster, and of each node while the engine is away; above it they are answered 429. Takes a whole number from 1 up, or "unlimited". Without it, as in `defaults`. */
  readonly apiRequestsPerSecond?: number | "unlimited";
  /** Time a connection has to sign in or join a private channel where `requireAuthentication` is on, in seconds. Takes a number of seconds from 0.001 to 2147483. Without it, as in `defaults`. */
  readonly unauthenticatedTimeoutS?: number;
  /** How long the server remembers that a user was terminated, in seconds: as long as tokens live. A token issued before is refused for that time. Takes a number of seconds from 0.001 to 2147483. Without it, as in `defaults`. */
  readonly revocationTtlS?: number;
}

/** Recovery of this app, where it differs from `defaults.recovery`. */
export interface AppRecoveryInput {
  /** All channels keep what was published last, so that clients that recover get what they missed: cache channels, and those with a `history` of their own, aside. Without it, as in `defaults`. */
  readonly enabled?: boolean;
  /** Most events that are kept of one channel. Takes a whole number from 1 to 10000. Without it, as in `defaults`. */
  readonly size?: number;
  /** Time each of them is kept, in seconds. Takes a number of seconds from 0.001 to 3600. Without it, as in `defaults`. */
  readonly ttlS?: number;
  /** Most bytes that all channels of the app keep together; the oldest events go first. Takes a whole number from 1024 up. Without it, as in `defaults`. */
  readonly bytes?: number;
}

/** One receiver. */
export interface AppWebhookInput {
  /** Where the events are posted. Takes an http:// or https:// address. */
  readonly url: string;
  /** The kinds of event it is sent; all, where not given. Takes a list of one or more of channel_occupied, channel_vacated, member_added, member_removed, client_event, cache_miss, subscription_count. */
  readonly events?: readonly ("channel_occupied" | "channel_vacated" | "member_added" | "member_removed" | "client_event" | "cache_miss" | "subscription_count")[];
  /** The channels whose events it is sent; all of what is given has to fit. */
  readonly channels?: AppWebhookChannelsInput;
  /** Headers that are sent along. Takes an object of header names and their text. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Several events in one request, where more than one waits. */
  readonly batch?: boolean;
}

/** The channels whose events it is sent; all of what is given has to fit. */
export interface AppWebhookChannelsInput {
  /** How the channel's name begins. Takes text, not empty. */
  readonly prefix?: string;
  /** How the channel's name ends. Takes text, not empty. */
  readonly suffix?: string;
  /** The channel's name, with `*` for any run and `?` for one character. Takes text, not empty. */
  readonly pattern?: string;
}

/** How tokens are verified. Without it: HS256 with any of the app's secrets. */
export interface AppTokenInput {
  /** Signature algorithms that are accepted. Without it, those that fit the key. Takes a list of "HS256", "RS256", "ES256" and "EdDSA". */
  readonly algorithms?: readonly ("HS256" | "RS256" | "ES256" | "EdDSA")[];
  /** Shared secret, for HS256. Takes text, not empty. */
  readonly secret?: string;
  /** The issuer's public key (PEM, SubjectPublicKeyInfo), for RS256, ES256 and EdDSA. Takes text, not empty. */
  readonly publicKey?: string;
  /** Where the issuer publishes its keys; no other address is ever fetched. Takes an http:// or https:// address. */
  readonly jwksUrl?: string;
  /** The audience that a token has to name. Takes text, not empty. */
  readonly audience?: string;
  /** The issuer that a token has to name. Takes text, not empty. */
  readonly issuer?: string;
  /** How far the issuer's clock may be off, in seconds. Takes a number of seconds from 0 to 3600. Default: `5`. */
  readonly clockToleranceS?: number | undefined;
  /** What becomes of a connection when its token expires: it is closed, unless the client has sent a newer one, or it stays open. Default: `"close"`. */
  readonly expiry?: "close" | "ignore" | undefined;
  /** A token may come in an address (`?token=`), where proxies log it. Without it, it comes in a header, in the first frame or in a cookie, or a ticket stands for it. Default: `true`. */
  readonly inUrl?: boolean | undefined;
  /** The cookie that a token may come in, where the app's `allowedOrigins` say which pages may send it. Takes the name of a cookie. */
  readonly cookie?: string;
}

/** What the app's back end is asked over HTTP, and where. A hook is on where it is `true` or an object. */
export interface AppHooksInput {
  /** Where the hooks are posted that have no `url` of their own. Takes an http:// or https:// address. */
  readonly url?: string;
  /** Time for an answer, in seconds. Takes a number of seconds from 0.1 to 30. Default: `3`. */
  readonly timeoutS?: number | undefined;
  /** Headers of the client's handshake that are sent along, such as `cookie` and `authorization`. `cookie` needs `allowedOrigins`. Takes a list of names of headers. Default: `[]`. */
  readonly forward?: readonly string[] | undefined;
  /** Headers that are sent with each request. Takes an object of header names and their text. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The back end may have a private address. In the database, and from a program's provider, it counts for nothing: see `hooks.allowPrivate`. Default: `true`. */
  readonly allowPrivate?: boolean | undefined;
  /** Asked before a client is welcome: who is it, and what may it? */
  readonly connect?: boolean | AppHooksConnectInput;
  /** Asked who a client is that brings anything but a JSON Web Token. */
  readonly authenticate?: boolean | AppHooksAuthenticateInput;
  /** Asked before a token, or what a hook said, expires: the client need not renew it. */
  readonly refresh?: boolean | AppHooksRefreshInput;
  /** Asked whether a client may be in a channel, and as whom. */
  readonly subscribe?: boolean | AppHooksSubscribeInput;
  /** Asked about what clients publish: to pass, to change, to drop or to refuse it. */
  readonly publish?: boolean | AppHooksPublishInput;
  /** Answers events of native clients that the protocol does not know. */
  readonly call?: boolean | AppHooksCallInput;
  /** Told, in order and again until it is taken, that a connection has ended: sent as webhooks are. */
  readonly disconnect?: boolean | AppHooksDisconnectInput;
}

/** Asked before a client is welcome: who is it, and what may it? */
export interface AppHooksConnectInput {
  /** Where it is posted, if elsewhere. Takes an http:// or https:// address. */
  readonly url?: string;
  /** While the back end does not answer: "refuse", and the client is to come back later; "allow", and it is in as it would be without the hook. Default: `"refuse"`. */
  readonly whenDown?: "refuse" | "allow" | undefined;
}

/** Asked who a client is that brings anything but a JSON Web Token. */
export interface AppHooksAuthenticateInput {
  /** Where it is posted, if elsewhere. Takes an http:// or https:// address. */
  readonly url?: string;
}

/** Asked before a token, or what a hook said, expires: the client need not renew it. */
export interface AppHooksRefreshInput {
  /** Where it is posted, if elsewhere. Takes an http:// or https:// address. */
  readonly url?: string;
  /** While the back end does not answer: "refuse", and the connection ends ten minutes after that; "allow", and it goes on until there is an answer. Default: `"refuse"`. */
  readonly whenDown?: "refuse" | "allow" | undefined;
}

/** Asked whether a client may be in a channel, and as whom. */
export interface AppHooksSubscribeInput {
  /** Where it is posted, if elsewhere. Takes an http:// or https:// address. */
  readonly url?: string;
  /** The channels it is asked about. Takes a list of names and patterns. Default: `["*"]`. */
  readonly channels?: readonly string[] | undefined;
  /** "unproven": where a private channel is asked for with neither signature nor token; "always": in any case, public channels too. Default: `"unproven"`. */
  readonly when?: "unproven" | "always" | undefined;
  /** While the back end does not answer: "refuse", and the subscription is refused; "allow", and it is let through, unproven too. Default: `"refuse"`. */
  readonly whenDown?: "refuse" | "allow" | undefined;
}

/** Asked about what clients publish: to pass, to change, to drop or to refuse it. */
export interface AppHooksPublishInput {
  /** Where it is posted, if elsewhere. Takes an http:// or https:// address. */
  readonly url?: string;
  /** The channels it is asked about. Takes a list of names and patterns. Default: `["*"]`. */
  readonly channels?: readonly string[] | undefined;
  /** While the back end does not answer: "refuse", and the event is refused; "allow", and it is published as it is. Default: `"refuse"`. */
  readonly whenDown?: "refuse" | "allow" | undefined;
}

/** Answers events of native clients that the protocol does not know. */
export interface AppHooksCallInput {
  /** Where it is posted, if elsewhere. Takes an http:// or https:// address. */
  readonly url?: string;
  /** The events it answers. Takes a list of names and patterns. Default: `["*"]`. */
  readonly events?: readonly string[] | undefined;
}

/** Told, in order and again until it is taken, that a connection has ended: sent as webhooks are. */
export interface AppHooksDisconnectInput {
  /** Where it is posted, if elsewhere. Takes an http:// or https:// address. */
  readonly url?: string;
}
