export * from "../dist/mcp_v1.js";
