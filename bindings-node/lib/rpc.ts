/** What a guard must know of MCP's JSON-RPC messages: which tools one calls, and whether an answer reports an error. */

/** Whether an answer reports an error: by its status, as JSON-RPC, or in its first event. Undefined: not yet known. */
export function isError(status: number, contentType: string, body: Buffer, complete: boolean): boolean | undefined {
  if (status >= 400) return true;
  const kind = contentType.split(";", 1)[0]?.trim().toLowerCase();
  if (kind === "text/event-stream") return isErrorOfEvents(body.toString());
  if (kind !== "application/json") return false;
  return complete ? isErrorOf(parsed(body.toString())) : undefined;
}

function isErrorOfEvents(text: string): boolean | undefined {
  for (const block of text.replaceAll("\r\n", "\n").split("\n\n").slice(0, -1)) {
    const lines = block.split("\n");
    const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).replace(/^ +/, "")).join("\n");
    if (data) {
      const message = parsed(data);
      if (isObject(message) && Object.hasOwn(message, "method")) continue; // said before it was known that the scope is missing
      return isErrorOf(message);
    }
    // A keep-alive: the tool takes long, and the client must see that we are there.
    if (!lines.some((line) => line.startsWith("id:") || line.startsWith("retry:"))) return false;
  }
  return undefined;
}

function isErrorOf(message: unknown): boolean {
  if (!isObject(message)) return false;
  return Object.hasOwn(message, "error") || (isObject(message.result) && message.result.isError === true);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is { [name: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Returns whether what starts like this could be a JSON object or array, in any encoding that a parser might guess.
 *
 * A form or an upload is not: it goes on unread.
 */
export function couldBeRpc(head: Uint8Array): boolean {
  const { width, low } = encoding(head);
  for (let at = 0; at < head.length; ) {
    if (width === 1 && head[at] === 0xef) {
      // A byte order mark takes three. One that is cut at the end is no character yet: the rest of it is still to come.
      const mark = [0xef, 0xbb, 0xbf].slice(0, head.length - at);
      if (!mark.every((byte, index) => head[at + index] === byte)) return false;
      at += 3;
      continue;
    }
    if (at + width > head.length) return true;
    let character = 0;
    for (let index = 0; index < width; index += 1) character += head[at + index]! * 256 ** (low ? index : width - 1 - index);
    if (!BLANKS.has(character)) return character === 0x7b || character === 0x5b;
    at += width;
  }
  return true;
}

const BLANKS = new Set([0xfeff, 0x20, 0x09, 0x0d, 0x0a]);

/** How many bytes a character has at least, and whether the low one comes first: by the mark, or by where the zeros are. */
function encoding(head: Uint8Array): { width: 1 | 2 | 4; low: boolean } {
  const [a, b, c, d] = head;
  const starts = (...bytes: number[]): boolean => head.length >= bytes.length && bytes.every((byte, index) => head[index] === byte);
  if (starts(0, 0, 0xfe, 0xff)) return { width: 4, low: false };
  if (starts(0xff, 0xfe, 0, 0)) return { width: 4, low: true };
  if (starts(0xfe, 0xff)) return { width: 2, low: false };
  if (starts(0xff, 0xfe)) return { width: 2, low: true };
  if (head.length >= 4) {
    if (a === 0) return { width: b === 0 ? 4 : 2, low: false };
    if (b === 0) return { width: c === 0 && d === 0 ? 4 : 2, low: true };
  } else if (head.length === 2) {
    if (a === 0) return { width: 2, low: false };
    if (b === 0) return { width: 2, low: true };
  }
  return { width: 1, low: false };
}

/**
 * Returns the scopes that a JSON-RPC message, or any of a batch, needs for the tools it calls. An object is a message that
 * somebody has parsed already.
 *
 * Throws SyntaxError for what two parsers could read differently.
 */
export function neededScopes(body: Uint8Array | string | object, toolScopes: ReadonlyMap<string, readonly string[]>): string[] {
  const message = body instanceof Uint8Array ? unambiguous(utf8(body)) : typeof body === "string" ? unambiguous(body) : body;
  const needed = new Set<string>();
  for (const one of Array.isArray(message) ? (message as unknown[]) : [message]) {
    if (!isObject(one) || one.method !== "tools/call" || !isObject(one.params)) continue;
    const { name } = one.params;
    if (typeof name === "string") for (const scope of toolScopes.get(name) ?? []) needed.add(scope);
  }
  return [...needed];
}

function utf8(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch (error) {
    throw new SyntaxError("this is not UTF-8", { cause: error });
  }
}

/** Parses JSON. Of two members with one name `JSON.parse` keeps the last without a word, and another parser the first. */
function unambiguous(text: string): unknown {
  if (text === "") return undefined;
  const message: unknown = JSON.parse(text);
  refuseTwins(text);
  return message;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

/**
 * Throws SyntaxError when an object of this text, which must be JSON, has two members of one name.
 *
 * Outside of strings only brackets and commas say where a name may stand. (No regular expression: of long strings and deep
 * nesting those run out of stack.)
 */
function refuseTwins(text: string): void {
  /** What is open: the names so far of an object, null where there are none yet, undefined for an array. */
  const open: (Set<string> | string | null | undefined)[] = [];
  let name = false;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = closing(text, at);
        if (name) {
          const names = open.length - 1;
          open[names] = withName(open[names] as Set<string> | string | null, text.slice(at, end + 1));
          name = false;
        }
        at = end;
        break;
      }
      case 0x7b: // {
        open.push(null);
        name = true;
        break;
      case 0x5b: // [
        open.push(undefined);
        name = false;
        break;
      case COMMA:
        name = open[open.length - 1] !== undefined;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        name = false;
        break;
    }
  }
}

/** Returns where the string that begins here ends. */
function closing(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let before = end;
    while (text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
    if ((end - before) % 2 === 0) return end;
  }
}

/** Returns the names with one more, which is as it stands in the text. */
function withName(names: Set<string> | string | null, quoted: string): Set<string> | string {
  const name = quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1); // an escaped name is the same name
  if (names === null) return name;
  const all = typeof names === "string" ? new Set([names]) : names;
  if (all.has(name)) throw new SyntaxError("a member appears twice");
  return all.add(name);
}
