export { mcpAuthRouter, requireBearerAuth } from "../dist/mcp_v1.js";
