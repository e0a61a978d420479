// Measure everything and print it as markdown: `node run.mjs [--write FILE]`.
import { cpus } from 'node:os';
import { writeFileSync } from 'node:fs';
import { measure } from './cpu.mjs';
import { imports, sizes } from './footprint.mjs';
import { installed, peers } from './peers.mjs';
import { races } from './race.mjs';
import { pinLoad } from './server.mjs';
import { report } from './report.mjs';

const say = (what) => process.stderr.write(`bench: ${what} ...\n`);
const at = process.argv.indexOf('--write');
const begun = Date.now();

const all = await peers();
const found = { peers: all };
const alone = all.filter(({ imports: specifiers }) => specifiers);
found.sizes = sizes(alone, say);
pinLoad();
say('import times');
found.imports = imports(alone);
Object.assign(found, await measure(all, say));
found.races = await races(all, say);

const versions = alone.flatMap(({ packages }) => packages.map((name) => `${name} ${installed(name)}`)).join(', ');
found.head = `Node ${process.versions.node}, ${versions}; ${cpus()[0].model}; ${Math.round((Date.now() - begun) / 1000)} s.`;
const text = report(found);
process.stdout.write(text);
if (at > 0) writeFileSync(process.argv[at + 1], text);
