/** `fanfare token`: issues a JSON Web Token for an app, and shows what is in one and whether it would be accepted. */

import type { Command } from "commander";
import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT } from "jose";
import type { App } from "../../domain/app.ts";
import type { User } from "../../domain/message.ts";
import { reasonOf, tokenVerifier } from "../../guards/token.ts";
import { type AppOptions, addAppOption, chooseApp, knownApps } from "../apps.ts";
import { CliError } from "../errors.ts";
import { printable } from "../output.ts";

interface IssueOptions extends AppOptions {
  readonly user?: string;
  readonly info?: string;
  readonly channels?: string;
  readonly watchlist?: string;
  readonly expires: string;
  readonly audience?: string;
  readonly issuer?: string;
}

interface InspectOptions extends AppOptions {
  readonly json?: true;
}

const EXAMPLE = `
Examples:
  $ fanfare token --user 42 --info '{"name":"Ann"}' --channels 'chat.*,presence-room' --expires 1h
  $ fanfare token inspect eyJhbGciOiJIUzI1NiJ9…`;

export function addToken(program: Command): void {
  const command = program
    .command("token")
    .description("issue a token (JWT) for a user, to connect with ?token=…")
    .option("--user <id>", "whose token it is")
    .option("--info <json>", "what others see of the user: JSON, or plain text")
    .option(
      "--channels <patterns>",
      "the channels that the user may join, such as chat.*,presence-room (default: no say)",
    )
    .option("--watchlist <ids>", "the users whose coming and going it is told of, such as 7,8")
    .option("--expires <time>", "how long it is good, such as 90s, 15m, 1h or 7d", "1h")
    .option("--audience <name>", "whom it is for (default: what the app expects)")
    .option("--issuer <name>", "who issues it (default: what the app expects)");
  addAppOption(command)
    .addHelpText("after", EXAMPLE)
    .action(async () => {
      const options = command.opts<IssueOptions>();
      const { app } = chooseApp(await knownApps(options), options);
      const { token, note } = await issue(app, options);
      process.stderr.write(`${printable(note)}\n`);
      console.log(token);
    });
  addInspect(command);
}

function addInspect(parent: Command): void {
  const command = parent
    .command("inspect")
    .description("show what is in a token, and whether it would be accepted here")
    .argument("<jwt>", "the token");
  // The parent has these options too and would take them for its own.
  command
    .option("--json", "print JSON")
    .addHelpText("after", "\nIt takes --app and --config as `fanfare token` does.")
    .addHelpText("after", "\nExample:\n  $ fanfare token inspect eyJhbGciOiJIUzI1NiJ9…")
    .action(async (token: string) => {
      const { json, ...options } = command.optsWithGlobals<InspectOptions>();
      const inspection = await inspect(token, options);
      console.log(json ? JSON.stringify(inspection, undefined, 2) : inspectionText(inspection, Date.now()));
      if (!inspection.verdicts.some(({ accepted }) => accepted)) process.exitCode = 1;
    });
}

// ---- issuing

async function issue(app: App, options: IssueOptions): Promise<{ token: string; note: string }> {
  if (options.user === undefined) throw new CliError("a token says who somebody is: name the user with --user");
  const secret = signingSecret(app);
  const claims = {
    ...(options.info !== undefined && { info: infoFrom(options.info) }),
    ...(options.channels !== undefined && { channels: listFrom(options.channels) }),
    ...(options.watchlist !== undefined && { watchlist: listFrom(options.watchlist) }),
  };
  const jwt = new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setSubject(options.user)
    .setIssuedAt();
  const audience = options.audience ?? app.token?.audience;
  const issuer = options.issuer ?? app.token?.issuer;
  if (audience !== undefined) jwt.setAudience(audience);
  if (issuer !== undefined) jwt.setIssuer(issuer);
  expire(jwt, options.expires);
  const token = await jwt.sign(new TextEncoder().encode(secret));
  const verdict = await verdictOf(app, token);
  const state = verdict.accepted ? "" : `; this configuration refuses it: ${verdict.reason}`;
  return { token, note: `token of user ${options.user} for app ${app.id}, ${ends(decodeJwt(token))}${state}` };
}

function signingSecret(app: App): string {
  const rules = app.token;
  if (rules === undefined) return app.secrets[0];
  if (rules.secret !== undefined) return rules.secret;
  const where = rules.jwksUrl === undefined ? "`token.publicKey`" : "`token.jwksUrl`";
  throw new CliError(
    `app ${app.id} takes tokens of the issuer behind ${where}: only whoever has that issuer's private key can make one`,
  );
}

function expire(jwt: SignJWT, written: string): void {
  try {
    jwt.setExpirationTime(/^\d+$/.test(written) ? `${written}s` : written);
  } catch {
    throw new CliError(`--expires has to be a time such as 90s, 15m, 1h or 7d, but is ${JSON.stringify(written)}`);
  }
}

function ends({ exp = 0 }: JWTPayload): string {
  return `good until ${moment(exp, Date.now())}`;
}

/** JSON where it is some, text where it was clearly not meant to be. */
function infoFrom(written: string): unknown {
  try {
    return JSON.parse(written);
  } catch {
    if (!/^\s*[[{"]/.test(written)) return written;
    throw new CliError(`--info looks like JSON but does not parse: ${written}`);
  }
}

function listFrom(written: string): string[] {
  return written
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

// ---- inspecting

interface AppVerdict {
  readonly app: string;
  readonly accepted: boolean;
  readonly user?: User;
  readonly reason?: string;
}

interface Inspection {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: JWTPayload;
  readonly verdicts: readonly AppVerdict[];
}

async function inspect(written: string, options: AppOptions): Promise<Inspection> {
  const token = written.replace(/^Bearer\s+/i, "").trim();
  const known = await knownApps(options);
  const apps = options.app === undefined ? known.apps : [chooseApp(known, options).app];
  const verdicts = await Promise.all(apps.map((app) => verdictOf(app, token)));
  try {
    return { header: { ...decodeProtectedHeader(token) }, claims: decodeJwt(token), verdicts };
  } catch {
    throw new CliError(`this is no JSON Web Token: ${shapeOf(token)}`);
  }
}

/** A JWT is three parts of base64url with dots between. */
function shapeOf(token: string): string {
  const parts = token.split(".").length;
  if (parts === 5) return "it has five parts, so it is encrypted, and Fanfare takes signed ones";
  if (parts !== 3) return `it has ${parts} part${parts === 1 ? "" : "s"} between dots, not 3; was it cut off?`;
  return "its header or its claims are not JSON in base64url; was it cut off or changed?";
}

const verify = tokenVerifier();

async function verdictOf(app: App, token: string): Promise<AppVerdict> {
  try {
    return { app: app.id, accepted: true, user: await verify(app, token) };
  } catch (error) {
    return { app: app.id, accepted: false, reason: reasonOf(error).replace(/\.$/, "") };
  }
}

function inspectionText({ header, claims, verdicts }: Inspection, nowMs: number): string {
  const judged =
    verdicts.length > 0
      ? verdicts.map(verdictLine)
      : ["No app is known here, so nobody can say whether it would be accepted."];
  return ["Header", ...fieldLines(header, nowMs), "Claims", ...fieldLines(claims, nowMs), "", ...judged].join("\n");
}

const TIMES = ["exp", "iat", "nbf", "auth_time"];

function fieldLines(fields: Readonly<Record<string, unknown>>, nowMs: number): string[] {
  const width = Math.max(...Object.keys(fields).map((name) => printable(name).length)) + 2;
  return Object.entries(fields).map(([name, value]) => {
    const isTime = TIMES.includes(name) && typeof value === "number";
    const shown = isTime ? moment(value, nowMs) : typeof value === "string" ? value : JSON.stringify(value);
    return `  ${printable(name).padEnd(width)}${printable(shown)}`;
  });
}

function verdictLine({ app, accepted, user, reason }: AppVerdict): string {
  if (!accepted) return printable(`App ${app} refuses it: ${reason}.`);
  const channels = user?.channels === undefined ? "" : `, for the channels ${user.channels.join(", ")}`;
  return printable(`App ${app} accepts it, as user ${user?.id}${channels}.`);
}

/** `2030-01-02 03:04:05 UTC (in 59 minutes)` */
function moment(timeS: number, nowMs: number): string {
  const date = new Date(timeS * 1000);
  if (Number.isNaN(date.getTime())) return `${timeS} (no time: too large; it counts in seconds)`;
  const stamp = `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  return `${stamp} (${relative(timeS - nowMs / 1000)})`;
}

const UNITS = [
  ["year", 31_557_600],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;

function relative(offsetS: number): string {
  const [unit, size] = UNITS.find(([, length]) => Math.abs(offsetS) >= length) ?? ["second", 1];
  return new Intl.RelativeTimeFormat("en", { numeric: "always" }).format(Math.round(offsetS / size), unit);
}
