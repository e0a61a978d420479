// The example on Hono, as it stands, with the example's clients: the official SDKs go through the whole life of a connection.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { after } from "./support.mjs";

const EXAMPLES = new URL("../../examples/", import.meta.url);

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("both official clients live a whole life with the example on Hono", { timeout: 120_000 }, async (context) => {
  // From here the packages are found, and `lockstep-oauth` is what has been built.
  const folder = mkdtempSync(new URL("./.hono-", import.meta.url).pathname);
  context.after(() => rmSync(folder, { recursive: true }));
  for (const file of ["node-hono-mcp/server.mjs", "clients/typescript/drive.mjs", "clients/typescript/wire.mjs"]) {
    copyFileSync(new URL(file, EXAMPLES), join(folder, file.split("/").at(-1)));
  }
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const { LOCKSTEP_DB: _, ...environment } = process.env;
  const server = spawn(process.execPath, ["server.mjs"], { cwd: folder, env: { ...environment, PORT: port }, stdio: ["ignore", "ignore", "pipe"] });
  let wrote = "";
  server.stderr.on("data", (part) => (wrote += part));
  const gone = new Promise((resolve) => server.on("exit", resolve));
  context.after(() => (server.kill(), gone));
  while (!(await fetch(`${base}/mcp`).then(({ status }) => status === 401, () => false))) {
    assert.equal(server.exitCode, null, wrote);
    await after(50);
  }
  for (const version of [[], ["--v1"]]) {
    const { stdout } = await promisify(execFile)(process.execPath, ["drive.mjs", base, ...version], { cwd: folder, maxBuffer: 2 ** 24 });
    assert.match(stdout, /All \d\d checks held/, wrote);
  }
});
