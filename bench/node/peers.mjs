// Who is measured. Ours comes last, and only when it is installed.
import { createRequire } from 'node:module';

const NAMES = ['sdk', 'workers', 'oidc', 'better-auth', 'lockstep', 'lockstep-express'];

/** Name and module of every peer that is installed. */
export async function peers() {
  const found = [];
  for (const name of NAMES) {
    const module = await import(`./peers/${name}.mjs`);
    if (module.packages.every(installed)) found.push({ name, ...module });
    else process.stderr.write(`bench: ${module.packages.join(', ')} is not installed: left out\n`);
  }
  return found;
}

/** The version of an installed package, or undefined. */
export function installed(name) {
  const places = createRequire(import.meta.url).resolve.paths(name);
  for (const place of places) {
    try {
      return createRequire(import.meta.url)(`${place}/${name}/package.json`).version;
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return undefined;
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
