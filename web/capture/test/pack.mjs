// Writes a burst of three made-up frames to the file named first, for
// web/burst_test.go to read with the server's parser; a second one, with light, beside it.
import { build } from 'esbuild';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const outfile = `${process.argv[2]}.mjs`;
await build({ entryPoints: [join(dirname(fileURLToPath(import.meta.url)), '../src/burst.ts')], bundle: true, format: 'esm', platform: 'node', outfile, logLevel: 'warning' });
const { pack } = await import(pathToFileURL(outfile));
writeFileSync(process.argv[2], pack([100, 250.5, 1600].map((atMS, i) => ({ atMS, file: new Uint8Array(i + 1).fill(i + 7) }))));
writeFileSync(`${process.argv[2]}.lit`, pack([0, 255, 100].map((light, i) => ({ atMS: i * 133, light, file: new Uint8Array(i + 1).fill(i + 7) }))));
