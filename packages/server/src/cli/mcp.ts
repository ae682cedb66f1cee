/**
 * The tools of `fanfare mcp`, with the protocol's SDK and the whole of Zod, which they need. The package has them as a file of its own
 * that nothing else shares: in the common files, more of Zod would be loaded by every server that starts.
 */

export { type McpHost, serveMcp } from "@fanfare/mcp";
