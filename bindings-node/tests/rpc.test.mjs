// What a guard reads of MCP's messages, and what it refuses to read.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { require } from "./support.mjs";

const { couldBeRpc, isError, neededScopes } = require("./rpc");

const TOOLS = new Map([
  ["add", ["notes:write"]],
  ["move", ["notes:read", "notes:write"]],
]);
const call = (name) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":${JSON.stringify(name)}}}`;

describe("the scopes that a message needs", () => {
  const messages = [
    [call("list"), []],
    [call("add"), ["notes:write"]],
    [`[{"jsonrpc":"2.0","id":1,"method":"ping"},${call("add")},${call("move")}]`, ["notes:write", "notes:read"]],
    [call("add").replace("add", "\\u0061dd"), ["notes:write"]],
    [call("add").replace("method", "\\u006dethod"), ["notes:write"]],
    ["", []],
    ["null", []],
    ["[null,1,\"tools/call\",[]]", []],
    ['{"method":"tools/call"}', []],
    ['{"method":"tools/call","params":{"name":["add"]}}', []],
    ['{"method":"tools/call","params":["add"]}', []],
    ['{"method":["tools/call"],"params":{"name":"add"}}', []],
    [call("__proto__"), []],
    [call("constructor"), []],
    ['{"__proto__":{"method":"tools/call","params":{"name":"add"}}}', []],
    ['{"a":[{"b":1},{"b":2}],"b":"\\"","c":"a,\\"a\\":","d":{"a":{},"b":[]}}', []],
    ['{"a":"\\\\","b":"\\\\\\"","c":"}{"}', []],
    [' \r\n\t{ "method" : "tools/call" , "params" : { "name" : "add" } } ', ["notes:write"]],
  ];
  for (const [text, scopes] of messages) {
    test(text.slice(0, 80) || "nothing", () => {
      assert.deepEqual(neededScopes(Buffer.from(text), TOOLS), scopes);
      assert.deepEqual(neededScopes(text, TOOLS), scopes);
      if (text) assert.deepEqual(neededScopes(JSON.parse(text) ?? {}, TOOLS), scopes);
    });
  }
});

describe("what two parsers could read differently is refused", () => {
  const texts = [
    '{"method":"ping","method":"tools/call","params":{"name":"add"}}',
    '{"method":"tools/call","params":{"name":"add","name":"list"}}',
    '{"method":"tools/call","params":{"name":"add","n\\u0061me":"list"}}',
    '[{"a":1,"b":2,"c":3,"a":4}]',
    '{"a":{"x":1},"b":[{"x":1,"y":{"x":1,"x":2}}]}',
    '{"":1,"":2}',
    '{"a\\\\":1,"a\\\\":2}',
    '{"a\\"":1,"b":"\\\\","a\\"":2}',
    '{"__proto__":1,"__proto__":2}',
    '{"a":[],"a":[]}',
    "{",
    "{} {}",
    '{"a":1,}',
    "{'a':1}",
    "NaN",
    "\ufeff{}",
  ];
  for (const text of texts) {
    test(text, () => {
      assert.throws(() => neededScopes(Buffer.from(text), TOOLS), SyntaxError);
      assert.throws(() => neededScopes(text, TOOLS), SyntaxError);
    });
  }
  for (const bytes of [[0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d], [0xc0, 0xaf], [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]]) {
    test(`the bytes ${bytes}`, () => assert.throws(() => neededScopes(Uint8Array.from(bytes), TOOLS), SyntaxError));
  }
});

test("long strings, many members and deep nesting are read", () => {
  const depth = 300_000;
  for (const text of [
    `{"a":"${"x".repeat(4e6)}"}`,
    JSON.stringify({ a: "\n\"\\".repeat(1e6) }),
    `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`,
    JSON.stringify(Object.fromEntries(Array.from({ length: 1e5 }, (_, number) => [`k${number}`, number]))),
  ]) {
    assert.deepEqual(neededScopes(text, TOOLS), []);
    assert.throws(() => neededScopes(`{"b":0,"b":${text}}`, TOOLS), /twice/);
    assert.throws(() => neededScopes(`{"b":${text},"c":{"b":1},"b":1}`, TOOLS), /twice/);
  }
});

describe("what could be JSON-RPC, by how it starts", () => {
  const utf16be = (text) => Buffer.from(text, "utf16le").swap16();
  const utf32 = (text, mark, low) => {
    const view = Buffer.alloc(4 * (text.length + mark));
    [...(mark ? "\ufeff" : ""), ...text].forEach((letter, index) => view[low ? "writeUInt32LE" : "writeUInt32BE"](letter.codePointAt(0), 4 * index));
    return view;
  };
  const starts = {
    '{"a"': true,
    "[1,2": true,
    " \r\n\t{": true,
    "": true,
    "   ": true,
    "a=b&": false,
    "--boundary": false,
    '"text"': false,
    "\u00e9": false,
    "\uff5b": false,
    "\0\0\0\0": false,
  };
  for (const [text, could] of Object.entries(starts)) {
    test(JSON.stringify(text), () => {
      assert.equal(couldBeRpc(Buffer.from(text)), could);
      if (text === "\0\0\0\0" || text === "\uff5b") return;
      assert.equal(couldBeRpc(Buffer.from(`\ufeff${text}`)), could, "with a mark");
      assert.equal(couldBeRpc(Buffer.from(`\ufeff${text}`, "utf16le")), could);
      assert.equal(couldBeRpc(utf16be(`\ufeff${text}`)), could);
      assert.equal(couldBeRpc(utf32(text, 1, true)), could);
      assert.equal(couldBeRpc(utf32(text, 1, false)), could);
      assert.equal(couldBeRpc(Buffer.from(text, "utf16le")), could, "without a mark");
      assert.equal(couldBeRpc(utf16be(text)), could);
      assert.equal(couldBeRpc(utf32(text, 0, true)), could);
      assert.equal(couldBeRpc(utf32(text, 0, false)), could);
    });
  }
  test("a character that is cut is still to come", () => {
    assert.equal(couldBeRpc(Buffer.from([0xef])), true);
    assert.equal(couldBeRpc(Buffer.from([0xef, 0xbb])), true);
    assert.equal(couldBeRpc(Buffer.from([0xef, 0xbc])), false);
    assert.equal(couldBeRpc(Buffer.from([0xff, 0xfe, 0x20, 0x00, 0x7b])), true);
  });
});

describe("whether an answer reports an error", () => {
  const failed = '{"jsonrpc":"2.0","id":1,"result":{"isError":true}}';
  const rows = [
    [403, "text/html", "", false, true],
    [200, "text/html", failed, true, false],
    [200, "application/json", failed, false, undefined],
    [200, "Application/JSON; charset=utf-8", failed, true, true],
    [200, "application/json", '{"jsonrpc":"2.0","id":1,"error":{"code":1}}', true, true],
    [200, "application/json", '{"jsonrpc":"2.0","id":1,"result":{"isError":"true"}}', true, false],
    [200, "application/json", '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}', true, false],
    [200, "application/json", '{"toString":1}', true, false],
    [200, "application/json", "[]", true, false],
    [200, "application/json", "nonsense", true, false],
    [200, "text/event-stream", `event: message\r\ndata: ${failed}\r\n`, false, undefined],
    [200, "text/event-stream", `event: message\r\ndata: ${failed}\r\n\r\n`, false, true],
    [200, "text/event-stream", `id: 1\nretry: 5\n\ndata: ${failed}\n\n`, false, true],
    [200, "text/event-stream", `data: {"method":"notifications/message"}\n\ndata: ${failed}\n\n`, false, true],
    [200, "text/event-stream", 'data: {"method":"notifications/message"}\n\n', false, undefined],
    [200, "text/event-stream", `: still here\n\ndata: ${failed}\n\n`, false, false],
    [200, "text/event-stream", `data: {"jsonrpc":"2.0",\ndata: "id":1,"error":{}}\n\n`, false, true],
    [200, "text/event-stream", 'data: {"result":{"text":"\\"method\\""}}\n\n', false, false],
    [200, "text/event-stream", "", true, undefined],
  ];
  for (const [status, type, body, complete, expected] of rows) {
    test(`${status} ${type} ${JSON.stringify(body).slice(0, 70)}`, () => assert.equal(isError(status, type, Buffer.from(body), complete), expected));
  }
});
