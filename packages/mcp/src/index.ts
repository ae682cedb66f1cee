/** What the command line starts: tools for one agent, with what only the command line knows given to them. */

export type { DashboardAddress, McpHost } from "./host.ts";
export { serveMcp } from "./serve.ts";
