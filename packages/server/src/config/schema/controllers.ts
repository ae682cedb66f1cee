/** Controllers that the configuration names: files whose code answers at a path. */

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

export type ControllerSettings = z.output<typeof controller>;

/** The configuration with the controllers' files as absolute paths, so that they are found wherever the process runs. */
export function resolveControllerFiles<C extends { readonly controllers: readonly ControllerSettings[] }>(
  config: C,
  cwd: string,
  configFile: string | undefined,
): C {
  const folder = configFile === undefined ? cwd : dirname(resolve(cwd, configFile));
  const controllers = config.controllers.map(({ path, ...files }) => {
    const found = Object.entries(files).map(([name, file]) => [name, isAbsolute(file) ? file : resolve(folder, file)]);
    return { path, ...Object.fromEntries(found) };
  });
  return { ...config, controllers };
}
