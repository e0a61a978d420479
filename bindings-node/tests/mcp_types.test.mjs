// The SDKs' own types agree with ours.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

test("what the seat gives fits the types of v1 and v2", () => {
  const options = ["--ignoreConfig", "--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "node16", "--types", "node"];
  const compiler = new URL("../node_modules/typescript/bin/tsc", import.meta.url).pathname;
  const { stdout } = spawnSync(process.execPath, [compiler, ...options, "tests/types/mcp.mts"], { cwd: new URL("..", import.meta.url), encoding: "utf8" });
  assert.equal(stdout, "");
});
