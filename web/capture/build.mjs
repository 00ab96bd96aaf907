// Bundles the capture page into dist/ (or into the folder given as the first
// argument). The output depends on the sources and on the pinned esbuild only,
// so web's test can rebuild it and compare byte for byte.
import { build } from 'esbuild';
import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, 'dist');
mkdirSync(out, { recursive: true });

await build({
  absWorkingDir: here,
  entryPoints: { app: 'src/main.ts' },
  bundle: true,
  format: 'esm',
  target: ['es2020', 'chrome87', 'firefox91', 'safari14'],
  minify: true,
  charset: 'utf8',
  legalComments: 'none',
  outdir: out,
  logLevel: 'warning',
});
await build({
  absWorkingDir: here,
  entryPoints: { app: 'src/style.css' },
  bundle: true,
  minify: true,
  charset: 'utf8',
  target: ['chrome87', 'firefox91', 'safari14'],
  outdir: out,
  logLevel: 'warning',
});
// What other pages embed: a classic script with one global, Proofline.
await build({
  absWorkingDir: here,
  entryPoints: { proofline: 'src/proofline.ts' },
  bundle: true,
  format: 'iife',
  globalName: 'Proofline',
  target: ['es2020', 'chrome87', 'firefox91', 'safari14'],
  minify: true,
  charset: 'utf8',
  legalComments: 'none',
  outdir: out,
  logLevel: 'warning',
});
for (const f of ['index.html', 'icon.svg']) cpSync(join(here, f), join(out, f));
