/** The clock and the entropy of one exchange. */

import { randomFillSync } from "node:crypto";

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
    randomFillSync(block);
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
