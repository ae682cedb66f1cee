/** How the back ends of apps are asked, and which addresses they may have. */

import type { HookClientSettings } from "../backend/hook-client.ts";
import type { Config } from "../config/schema/schema.ts";
import type { HookSettings } from "../domain/app.ts";
import { isNoMetadata, isPublic } from "../guards/ip.ts";

const ANY_BUT_METADATA = { may: isNoMetadata, setting: "hooks.allowPrivate" };
const PUBLIC_ONLY = { may: isPublic, setting: "hooks.allowPrivate" };

export function hookSettings({ hooks: { allowPrivate, concurrency, waiting } }: Config): HookClientSettings {
  // A cloud's metadata is out of reach for everybody: nobody has a back end there.
  const reach = (hooks: HookSettings) => (hooks.allowPrivate || allowPrivate ? ANY_BUT_METADATA : PUBLIC_ONLY);
  return { reach, concurrency, waiting };
}
