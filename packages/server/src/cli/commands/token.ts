/** `fanfare token`: issues a JSON Web Token for an app, and shows what is in one and whether it would be accepted. */

import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT } from "jose";
import type { App } from "../../domain/app.ts";
import type { User } from "../../domain/message.ts";
import { reasonOf, tokenVerifier } from "../../guards/token.ts";
import { type AppOptions, chooseApp, knownApps } from "../apps.ts";
import { CliError } from "../errors.ts";
import { parseJson } from "../json.ts";
import { plural, printable, type Report, type Row, table } from "../output.ts";

interface IssueOptions extends AppOptions {
  readonly user?: string;
  readonly info?: string;
  readonly channels?: string;
  readonly watch?: string;
  readonly watchlist?: string;
  readonly expires: string;
  readonly audience?: string;
  readonly issuer?: string;
}

/** The token alone goes to the standard output, so that it can be used in place. */
export async function issueToken(options: IssueOptions): Promise<string> {
  const { app } = chooseApp(await knownApps(options), options);
  if (options.user === undefined) throw new CliError("a token needs a user: name it with --user");
  const token = await signToken(app, options.user, options);
  const { exp = 0 } = decodeJwt(token);
  const { accepted, reason } = await verdictOf(app, token);
  const refused = accepted ? "" : `; this configuration refuses it: ${reason}`;
  const note = `token of user ${options.user} for app ${app.id}, good until ${moment(exp, Date.now())}${refused}`;
  process.stderr.write(`${printable(note)}\n`);
  return token;
}

type SigningApp = Pick<App, "id" | "token" | "secrets">;

/** By the app's secret, or by the other one that its tokens are signed with. */
export async function signToken(
  app: SigningApp,
  user: string,
  options: Omit<IssueOptions, keyof AppOptions | "user">,
): Promise<string> {
  const { info, channels, watch, watchlist, expires } = options;
  const claims = {
    ...(info !== undefined && { info: infoFrom(info) }),
    ...(channels !== undefined && { channels: listFrom(channels) }),
    ...(watch !== undefined && { watch: listFrom(watch) }),
    ...(watchlist !== undefined && { watchlist: listFrom(watchlist) }),
  };
  const header = { alg: "HS256", typ: "JWT" };
  const jwt = new SignJWT(claims).setProtectedHeader(header).setSubject(user).setIssuedAt();
  const audience = options.audience ?? app.token?.audience;
  const issuer = options.issuer ?? app.token?.issuer;
  if (audience !== undefined) jwt.setAudience(audience);
  if (issuer !== undefined) jwt.setIssuer(issuer);
  try {
    jwt.setExpirationTime(/^\d+$/.test(expires) ? `${expires}s` : expires);
  } catch {
    throw new CliError(`--expires has to be a time such as 90s, 15m, 1h or 7d, but is ${JSON.stringify(expires)}`);
  }
  return jwt.sign(new TextEncoder().encode(signingSecret(app)));
}

function signingSecret({ id, token: rules, secrets }: SigningApp): string {
  if (rules === undefined) return secrets[0];
  if (rules.secret !== undefined) return rules.secret;
  if (rules.jwksUrl === undefined && rules.publicKey === undefined) return secrets[0];
  const where = rules.jwksUrl === undefined ? "`token.publicKey`" : "`token.jwksUrl`";
  throw new CliError(
    `app ${id} takes tokens of the issuer behind ${where}: only the holder of that issuer's private key can make one`,
  );
}

/** JSON where it is some, text where it was clearly not meant to be. */
function infoFrom(written: string): unknown {
  const value = parseJson(written);
  if (value !== undefined) return value;
  if (!/^\s*[[{"]/.test(written)) return written;
  throw new CliError(`--info looks like JSON but does not parse: ${written}`);
}

function listFrom(written: string): string[] {
  return written
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

interface Verdict {
  readonly app: string;
  readonly accepted: boolean;
  readonly user?: User;
  readonly reason?: string;
}

interface Inspection {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: JWTPayload;
  readonly verdicts: readonly Verdict[];
}

export async function inspectToken(options: AppOptions, written: string): Promise<Report> {
  const token = written.replace(/^Bearer\s+/i, "").trim();
  const known = await knownApps(options);
  const apps = options.app === undefined ? known.apps : [chooseApp(known, options).app];
  const verdicts = await Promise.all(apps.map((app) => verdictOf(app, token)));
  const inspection = { ...decoded(token), verdicts };
  const isAccepted = verdicts.some(({ accepted }) => accepted);
  return { json: inspection, text: inspectionText(inspection, Date.now()), exitCode: isAccepted ? 0 : 1 };
}

function decoded(token: string): Omit<Inspection, "verdicts"> {
  try {
    return { header: { ...decodeProtectedHeader(token) }, claims: decodeJwt(token) };
  } catch {
    throw new CliError(`this is no JSON Web Token: ${shapeOf(token)}`);
  }
}

/** A JWT is three parts of base64url with dots between. */
function shapeOf(token: string): string {
  const parts = token.split(".").length;
  if (parts === 5) return "it has five parts, so it is encrypted, and Fanfare takes signed ones";
  if (parts !== 3) return `it has ${plural(parts, "part")} between dots, not 3; was it cut off?`;
  return "its header or its claims are not JSON in base64url; was it cut off or changed?";
}

const verify = tokenVerifier();

async function verdictOf(app: App, token: string): Promise<Verdict> {
  try {
    return { app: app.id, accepted: true, user: await verify(app, token) };
  } catch (error) {
    return { app: app.id, accepted: false, reason: reasonOf(error).replace(/\.$/, "") };
  }
}

function inspectionText({ header, claims, verdicts }: Inspection, nowMs: number): string {
  const judged = verdicts.map(verdictLine);
  if (judged.length === 0) judged.push("No app is known here, so it cannot be said whether it would be accepted.");
  return ["Header", ...fieldLines(header, nowMs), "Claims", ...fieldLines(claims, nowMs), "", ...judged].join("\n");
}

const TIMES = ["exp", "iat", "nbf", "auth_time"];

function fieldLines(fields: Readonly<Record<string, unknown>>, nowMs: number): string[] {
  const rows = Object.entries(fields).map(([name, value]): Row => {
    if (typeof value === "number" && TIMES.includes(name)) return [name, moment(value, nowMs)];
    return [name, typeof value === "string" ? value : JSON.stringify(value)];
  });
  return table(rows);
}

function verdictLine({ app, accepted, user, reason }: Verdict): string {
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
