/** Prints the demo app's secret; run several times at once by the test beside it. */

import { demoApp } from "../../packages/server/src/config/demo-app.ts";
import { parseConfig } from "../../packages/server/src/config/load.ts";

const app = await demoApp(process.argv[2] ?? "", parseConfig({}).defaults);
process.stdout.write(app.secrets[0]);
