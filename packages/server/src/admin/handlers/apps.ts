/** Calls about apps: what they are set to, and for admins, making and changing those in the database. */

import * as z from "zod/mini";
import { type App, type HookSettings, isReserved } from "../../domain/app.ts";
import { AdminError } from "../admin-error.ts";
import type { AppDetail, AppSummary, AppWithSecret, Done } from "../api-types.ts";
import {
  type AppEditor,
  appOf,
  type Call,
  type Handler,
  inputOf,
  recordInAudit,
  required,
  type Services,
} from "../call.ts";
import { hasRole } from "../sessions.ts";

const NO_DATABASE =
  "This server keeps no apps in a database: set database.url, or write apps in the configuration and reload it.";
/** They have ways of their own. */
const UNNAMED = ["secret", "secrets"];

const Settings = z.record(z.string().check(z.maxLength(100)), z.unknown());
const Rotation = z.strictObject({ forget: z.optional(z.boolean()) });

export function summaryOf({ appEditor }: Pick<Services, "appEditor">, { id, name, key, enabled }: App): AppSummary {
  return { id, name, key, enabled, source: appEditor?.has(id) ? "database" : "config" };
}

export const apps: Handler = (call): readonly AppDetail[] =>
  call.services.apps().flatMap((app) => (isReserved(app) ? [] : detailOf(call, app)));

export const app: Handler = (call): AppDetail => detailOf(call, appOf(call));

function detailOf(call: Call, app: App): AppDetail {
  const { services } = call;
  const { secrets, token, webhooks, hooks, id: _id, key: _key, name: _name, enabled: _enabled, ...settings } = app;
  return {
    ...summaryOf(services, app),
    secrets: secrets.length,
    connections: services.hub.connectionCountOf(app),
    settings: {
      ...(spelt(settings) as Record<string, unknown>),
      ...(token && { token: { ...token, ...(token.secret !== undefined && { secret: HIDDEN }) } }),
      ...(webhooks && {
        webhooks: webhooks.map(({ headers, url, ...rest }) => ({ ...rest, url: shownTo(call, url) })),
      }),
      ...(hooks && { hooks: shownHooks(call, hooks) }),
    },
  };
}

/** Without the headers, which have secrets in them. */
function shownHooks(call: Call, { headers: _, ...hooks }: HookSettings): object {
  const shown = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, key === "url" ? shownTo(call, String(inner)) : shown(inner)]),
    );
  };
  return shown(hooks) as object;
}

export const create: Handler = async (call): Promise<AppWithSecret> => {
  const appEditor = editableOf(call);
  const input = inputOf(call, Settings);
  refuseSecrets(input);
  for (const field of ["id", "key"] as const) {
    if (call.services.apps().some((app) => app[field] === input[field]))
      throw new AdminError("conflict", `There is an app with this ${field} already.`);
  }
  const app = await appEditor.add(input);
  await recordInAudit(call, "app.create", { app: app.id, named: Object.keys(input) });
  return { app: { ...detailOf(call, app), source: "database" }, secret: app.secrets[0] };
};

export const edit: Handler = async (call): Promise<AppDetail> => {
  const appEditor = editableOf(call);
  const id = await ownOf(call, appEditor);
  const changes = inputOf(call, Settings);
  refuseSecrets(changes);
  for (const field of ["id", "key"]) {
    if (field in changes)
      throw new AdminError("input_invalid", `An app's ${field} stays what it is: make another app.`);
  }
  const app = await appEditor.edit(id, changes);
  await recordInAudit(call, "app.edit", { app: id, changed: Object.keys(changes), ...enabledIn(changes) });
  return { ...detailOf(call, app), source: "database" };
};

export const rotate: Handler = async (call): Promise<AppWithSecret> => {
  const appEditor = editableOf(call);
  const id = await ownOf(call, appEditor);
  const { forget = false } = inputOf(call, Rotation);
  const before = appOf(call);
  const secret = await appEditor.rotate(id, forget);
  await recordInAudit(call, "app.rotate", { app: id, forget });
  const secrets = forget ? 1 : before.secrets.length + 1;
  return { app: { ...detailOf(call, before), secrets }, secret };
};

/** The first one, with which the app's back end signs. POST, because it leaves a trace, and no other site may ask. */
export const secret: Handler = async (call): Promise<AppWithSecret> => {
  const app = appOf(call);
  await recordInAudit(call, "app.secret", { app: app.id });
  return { app: detailOf(call, app), secret: app.secrets[0] };
};

export const remove: Handler = async (call): Promise<Done> => {
  const appEditor = editableOf(call);
  const id = await ownOf(call, appEditor);
  await appEditor.remove(id);
  await recordInAudit(call, "app.remove", { app: id });
  return { outcome: "done" };
};

function editableOf({ services }: Call): AppEditor {
  return required(services.appEditor, NO_DATABASE);
}

/** The id of an app that is in the database. */
async function ownOf(call: Call, appEditor: AppEditor): Promise<string> {
  const { id } = appOf(call);
  if (await appEditor.isEditable(id)) return id;
  throw new AdminError("conflict", "This app is written in the configuration: change it there, and reload.");
}

function refuseSecrets(input: Readonly<Record<string, unknown>>): void {
  const named = UNNAMED.find((field) => field in input);
  if (named) throw new AdminError("input_invalid", "Secrets are made by the server: rotate them to have a new one.");
}

function enabledIn({ enabled }: Readonly<Record<string, unknown>>): { enabled?: boolean } {
  return typeof enabled === "boolean" ? { enabled } : {};
}

const HIDDEN = "******";

/** An address may have a password or a token in it, and its path be one: only admins, who set it, see that. */
export function shownTo({ principal }: Pick<Call, "principal">, address: string): string {
  // The hook `disconnect`, whose address is among the app's settings.
  if (address.startsWith("hook:")) return address;
  const url = URL.parse(address);
  if (!url) return HIDDEN;
  const { origin, pathname } = url;
  return `${origin}${pathname === "/" || hasRole(principal, "admin") ? pathname : `/${HIDDEN}`}`;
}

/** As the configuration spells it: JSON has no word for what has no end. */
export function spelt(value: unknown): unknown {
  if (value === Number.POSITIVE_INFINITY) return "unlimited";
  if (Array.isArray(value)) return value.map(spelt);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, spelt(inner)]));
}
