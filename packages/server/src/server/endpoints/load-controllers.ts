/** Loads the controllers that the configuration names. */

import { ConfigError, errorReason } from "../../config/config-error.ts";
import type { ControllerSettings } from "../../config/schema/code-files.ts";
import { loadExport } from "../load-export.ts";
import { type Controller, type ControllerClass, definitionOf, isCallback } from "./controller.ts";
import type { EndpointDefinition } from "./endpoint.ts";

/** Puts each at its path by `add`. Throws ConfigError with a line for each that cannot be used. */
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
