// Bundles the tests for Node.js and runs it.
import { build } from 'esbuild';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'capture-test-'));
try {
  const outfile = join(dir, 'test.mjs');
  await build({ absWorkingDir: here, stdin: { contents: ["measures", "find", "light"].map((f) => `import './${f}.test.mjs';`).join('\n'), resolveDir: here }, bundle: true, format: 'esm', platform: 'node', outfile, logLevel: 'warning' });
  await import(pathToFileURL(outfile));
} finally {
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
}
