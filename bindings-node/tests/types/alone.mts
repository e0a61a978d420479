// Without any framework installed, and with every declaration of the package checked.

import { createServer } from "node:http";
import { checkStore } from "lockstep-oauth/store-check";
import { MemoryStore } from "lockstep-oauth/stores";
import { lockstep } from "lockstep-oauth";

const auth = lockstep({
  issuer: "https://notes.example",
  resource: "https://notes.example/mcp",
  scopes: { "notes:read": "Read your notes" },
  signIn: () => undefined,
  store: new MemoryStore(),
});
const guard = auth.express.requireBearer({ scopes: ["notes:read"] });
createServer(auth.express.listener((request, response) => guard(request, response, () => response.end()))).listen(0);
export const GET = auth.web.fetch;
export const hooks = [auth.fastify(), auth.hono(), checkStore];
