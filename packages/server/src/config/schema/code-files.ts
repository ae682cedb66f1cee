/** Files of code that the configuration names: controllers, which answer at a path, and the declaration of events. */

import { dirname, isAbsolute, resolve } from "node:path";
import type * as z from "zod/mini";
import { list, object, optional, text, withDefault } from "./fields.ts";

const FILE = { expects: "the name of a file, or FILE#EXPORT" };

const functionFile = () => text("File with this one function, in place of the controller's.", FILE).apply(optional);

const controller = object(
  "A controller at a path.",
  {
    path: text("Where it answers: `/rooms/:room`, `/files/*`."),
    module: text(
      "File with the controller, relative to the configuration file: its default export, or the one that `FILE#EXPORT` names, a class or an object.",
      FILE,
    ).apply(optional),
    onHandshake: functionFile(),
    onOpen: functionFile(),
    onMessage: functionFile(),
    onClose: functionFile(),
    onError: functionFile(),
    onRequest: functionFile(),
    onDisconnect: functionFile(),
    onDrain: functionFile(),
  },
  "an object with `path` and `module`",
);

export const controllers = list(
  "WebSocket endpoints of your own, each with the code that answers there. See library.md.",
  controller,
  "a list of controllers",
).apply(withDefault, []);

export const eventsFile = text(
  "File with the declaration of the application's events, relative to the configuration file: its default export, or the one that `FILE#EXPORT` names. What clients publish and call is checked by it. See library.md.",
  FILE,
).apply(optional);

export type ControllerSettings = z.output<typeof controller>;

interface Files {
  readonly events?: string;
  readonly controllers: readonly ControllerSettings[];
}

/** The configuration with the files of code as absolute paths, so that they are found wherever the process runs. */
export function resolveCodeFiles<C extends Files>(config: C, cwd: string, configFile: string | undefined): C {
  const folder = configFile === undefined ? cwd : dirname(resolve(cwd, configFile));
  const absolute = (file: string) => (isAbsolute(file) ? file : resolve(folder, file));
  const controllers = config.controllers.map(({ path, ...files }) => {
    const found = Object.entries(files).map(([name, file]) => [name, absolute(file)]);
    return { path, ...Object.fromEntries(found) };
  });
  return { ...config, controllers, ...(config.events !== undefined && { events: absolute(config.events) }) };
}
