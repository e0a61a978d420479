// The same package, required.

import lockstepModule = require("lockstep-oauth");
import stores = require("lockstep-oauth/stores");
import Fastify = require("fastify");

const auth: lockstepModule.Lockstep = lockstepModule.lockstep({
  issuer: "https://notes.example",
  resource: "https://notes.example/mcp",
  scopes: ["notes:read"],
  signIn: "personal_token",
  store: new stores.MemoryStore(),
});
const app = Fastify.fastify();
app.register(auth.fastify());
app.get("/", { onRequest: auth.fastify.protect() }, async (request) => request.identity?.scopes);
