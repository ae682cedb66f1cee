/**
 * The protocol's SDK, with the whole of Zod, which it needs. The package has it as a file of its own that nothing else shares: in
 * the common files, more of Zod would be loaded by every server that starts.
 */

export {
  type CallToolResult,
  CLIENT_INFO_META_KEY,
  McpServer,
  type ServerContext,
  type ToolAnnotations,
} from "@modelcontextprotocol/server";
export { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
export { array, enum as oneOf, int, object, type output, string, type ZodObject } from "zod";
