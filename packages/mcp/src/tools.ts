/** The one table of tools. */

import type { ToolSpec } from "./tool.ts";
import { ACTING } from "./tools/acting.ts";
import { DELIVERY } from "./tools/delivery.ts";
import { EVENTS } from "./tools/events.ts";
import { LOOKING } from "./tools/looking.ts";
import { READING } from "./tools/reading.ts";
import { REPORTS } from "./tools/reports.ts";

export const TOOLS: readonly ToolSpec[] = [...LOOKING, ...REPORTS, ...EVENTS, ...DELIVERY, ...READING, ...ACTING];
