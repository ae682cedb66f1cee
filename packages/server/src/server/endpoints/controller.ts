/** A controller: an endpoint as a class, or as functions that are named one by one. What it leaves out is done as by default. */

import { ConfigError, errorReason } from "../../config/config-error.ts";
import type { ControllerSettings } from "../../config/schema/code-files.ts";
import type { Awaitable } from "../../domain/ports.ts";
import type { FetchContext } from "../http/router.ts";
import { loadExport } from "../load-export.ts";
import type {
  EndpointDefinition,
  EndpointHandlers,
  EndpointOptions,
  EndpointSocket,
  Params,
  Raw,
  Welcome,
} from "./endpoint.ts";

/** Each as the handler of an endpoint that it is named after; see EndpointHandlers. */
export interface Controller<D = unknown> {
  /** `upgrade`. By default everybody is let in. */
  onHandshake?(
    request: Request,
    params: Params,
    context: { readonly address: string },
  ): Awaitable<Welcome<D> | Response | boolean | undefined | null>;
  /** `open`. By default nothing. */
  onOpen?(socket: EndpointSocket<D>, request: Request): unknown;
  /** `message`. By default nothing. */
  onMessage?(socket: EndpointSocket<D>, message: Raw): unknown;
  /** `close`. By default nothing. */
  onClose?(socket: EndpointSocket<D>, code: number, reason: string): unknown;
  /** `error`. By default the socket is closed (1011). */
  onError?(socket: EndpointSocket<D>, error: unknown): unknown;
  /** `request`. By default what is mounted answers. */
  onRequest?(request: Request, context: FetchContext & { readonly params: Params }): Awaitable<Response>;
  /** `refused`: a client that never had a socket. By default nothing. */
  onDisconnect?(request: Request): unknown;
  /** `drain`. By default nothing. */
  onDrain?(socket: EndpointSocket<D>): unknown;
}

/** Made once, with the server; `static options` are those of its endpoint. */
export interface ControllerClass<S = unknown, D = unknown> {
  new (server: S): Controller<D>;
  readonly options?: EndpointOptions;
}

const CALLBACKS = {
  onHandshake: "upgrade",
  onOpen: "open",
  onMessage: "message",
  onClose: "close",
  onError: "error",
  onRequest: "request",
  onDisconnect: "refused",
  onDrain: "drain",
} as const satisfies Record<keyof Controller, keyof EndpointHandlers>;

/** Throws TypeError where it has none of the callbacks, or others. */
export function definitionOf(
  controller: Controller | ControllerClass<never>,
  server: unknown,
  options: EndpointOptions = {},
): EndpointDefinition {
  const made: unknown = isClass(controller) ? new controller(server as never) : controller;
  const own = isClass(controller) ? controller.options : undefined;
  if (typeof made !== "object" || made === null) throw new TypeError("A controller is a class or an object.");
  const callbacks = new Map<string, unknown>();
  for (const name of callbackNames(made)) {
    if (!isCallback(name)) throw new TypeError(`A controller has no callback ${name}: ${KNOWN}.`);
    const callback: unknown = Reflect.get(made, name);
    if (callback === undefined) continue;
    if (typeof callback !== "function") throw new TypeError(`The controller's ${name} is no function.`);
    callbacks.set(CALLBACKS[name], callback.bind(made));
  }
  if (callbacks.size === 0) throw new TypeError(`A controller without any callback does nothing: ${KNOWN}.`);
  return { ...own, ...options, ...Object.fromEntries(callbacks) };
}

const KNOWN = `there are ${Object.keys(CALLBACKS).join(", ")}`;

function isCallback(name: string): name is keyof Controller {
  return Object.hasOwn(CALLBACKS, name);
}

function isClass(value: unknown): value is ControllerClass<never> {
  return typeof value === "function";
}

/** Of the object itself, and of the classes it is of. */
function callbackNames(made: object): Set<string> {
  const names = new Set<string>();
  for (let at: object | null = made; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) if (/^on[A-Z]/.test(name)) names.add(name);
  }
  return names;
}

/** Loads those that the configuration names, and puts each at its path by `add`. Throws ConfigError with a line for each that cannot be used. */
export async function loadControllers(
  settings: readonly ControllerSettings[],
  server: unknown,
  add: (path: string, definition: EndpointDefinition) => void,
): Promise<void> {
  const problems: string[] = [];
  for (const [index, one] of settings.entries()) {
    try {
      add(one.path, await load(one, server));
    } catch (error) {
      const place = `controllers[${index}]`;
      const spot = error instanceof ControllerSettingError ? `${place}.${error.setting}` : place;
      problems.push(`\`${spot}\`: ${errorReason(error)}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

/** A setting, and what is wrong with the file it names. */
class ControllerSettingError extends Error {
  readonly setting: string;

  constructor(setting: string, reason: string) {
    super(reason);
    this.setting = setting;
  }
}

async function load({ path: _, module, ...files }: ControllerSettings, server: unknown): Promise<EndpointDefinition> {
  const callbacks: Record<string, unknown> = {};
  for (const [name, file] of Object.entries(files)) {
    if (!isCallback(name)) continue;
    const found = await exported(name, file);
    // Of a controller that is named for one callback, only that one counts.
    callbacks[name] = isFunction(found) ? found : methodOf(found, name);
    if (!isFunction(callbacks[name])) throw new ControllerSettingError(name, `${file} exports no function`);
  }
  const named = Object.keys(callbacks).length > 0 ? definitionOf(callbacks, server) : {};
  if (module === undefined) {
    if (Object.keys(named).length > 0) return named;
    throw new Error("it names neither a module nor a callback");
  }
  const controller = await exported("module", module);
  if (!isController(controller))
    throw new ControllerSettingError("module", `${module} exports neither a class nor an object`);
  return { ...definitionOf(controller, server), ...named };
}

async function exported(setting: string, written: string): Promise<unknown> {
  try {
    return await loadExport(written);
  } catch (error) {
    throw new ControllerSettingError(setting, errorReason(error));
  }
}

function isController(value: unknown): value is Controller | ControllerClass<never> {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function isFunction(value: unknown): value is (...args: never[]) => unknown {
  return typeof value === "function";
}

function methodOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  const method: unknown = Reflect.get(value, name);
  return isFunction(method) ? method.bind(value) : undefined;
}
