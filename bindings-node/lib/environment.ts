/** The clock and the entropy of one exchange. */

// `node:crypto` is loaded at the first request: it is a quarter of what importing this package would cost.
let fill: typeof import("node:crypto").randomFillSync | undefined;

const SEED_BYTES = 32;
const BLOCK_BYTES = 4096;

const block = Buffer.alloc(BLOCK_BYTES);
let next = BLOCK_BYTES;

/**
 * Returns 32 bytes of the operating system's generator, read 4 KiB at a time. They are overwritten by the next block, so
 * pass them on at once.
 */
export function seed(): Uint8Array {
  // INVARIANT: a seed is used once.
  if (next === BLOCK_BYTES) {
    fill ??= (require("node:crypto") as typeof import("node:crypto")).randomFillSync;
    fill(block);
    next = 0;
  }
  const from = next;
  next += SEED_BYTES;
  return block.subarray(from, next);
}

/** Returns whole seconds since 1970. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}
