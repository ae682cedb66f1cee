/** Controllers that the configuration names: files whose code answers at a path. */

import { dirname, isAbsolute, resolve } from "node:path";
import { z } from "zod";
import { optionalText, requiredText, settingInfo } from "./fields.ts";

const list = { parse: "json" } as const;
const FILE = { expects: "the name of a file, or FILE#EXPORT" };

const controller = z
  .strictObject({
    path: requiredText("Where it answers: `/rooms/:room`, `/files/*`."),
    module: optionalText(
      "File with the controller, relative to the configuration file: its default export, or the one that `FILE#EXPORT` names, a class or an object.",
      FILE,
    ),
    onHandshake: optionalText("File with this one function, in place of the controller's.", FILE),
    onOpen: optionalText("The same.", FILE),
    onMessage: optionalText("The same.", FILE),
    onClose: optionalText("The same.", FILE),
    onError: optionalText("The same.", FILE),
    onRequest: optionalText("The same.", FILE),
    onDisconnect: optionalText("The same.", FILE),
    onDrain: optionalText("The same.", FILE),
  })
  .register(settingInfo, {
    ...list,
    description: "A controller at a path.",
    expects: "an object with `path` and `module`",
  });

export const controllers = z
  .array(controller)
  .default([])
  .register(settingInfo, {
    ...list,
    description: "WebSocket endpoints of one's own, each with the code that answers there. See library.md.",
    expects: "a list of controllers",
  });

export type ControllerSettings = z.output<typeof controller>;

/** The configuration with the files of controllers as the process finds them, wherever it runs. */
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
