/*
 * build.mjs - builds the page: `node build.mjs OUTDIR` fills OUTDIR with what the server serves.
 *
 * Types are checked first, then esbuild bundles: one entry for the page, one tiny classic script that
 * sets the theme before the first paint, one sheet of CSS. Charts are a dynamic import and so a chunk
 * of their own, and so is every screen that is fetched when somebody goes there. Every name but index.html and favicon.svg carries a hash of its content. The budget of
 * the house (brotli: first load 60 KB of script and 15 KB of CSS, charts 200 KB, each further screen
 * 40 KB) fails the build.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const args = process.argv.slice(2);
const out = args.find((a) => !a.startsWith('--'));
const skipCheck = args.includes('--no-check');
if (!out) {
    console.error('use: node build.mjs OUTDIR [--no-check]');
    process.exit(2);
}
const dir = resolve(out);
mkdirSync(dir, { recursive: true });

if (!skipCheck) {
    const tsc = spawnSync(process.execPath, [join(here, 'node_modules/typescript/bin/tsc'), '--noEmit', '-p', here], {
        stdio: ['ignore', 2, 2],
    });
    if (tsc.status !== 0) process.exit(1);
}

const common = {
    absWorkingDir: here,
    bundle: true,
    minify: true,
    target: ['es2022', 'chrome108', 'firefox115', 'safari16'],
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    assetNames: '[name]-[hash]',
    outdir: dir,
    metafile: true,
    legalComments: 'none',
    logLevel: 'warning',
};
const page = await build({
    ...common,
    entryPoints: { page: 'src/main.tsx', style: 'src/css/index.css' },
    format: 'esm',
    splitting: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
});
const theme = await build({ ...common, entryPoints: { theme: 'src/theme.ts' }, format: 'iife' });

const outputs = page.metafile.outputs;
const entryOf = (result, source) => {
    const hit = Object.entries(result.metafile.outputs).find(([, o]) => o.entryPoint === source);
    if (!hit) throw new Error(`build.mjs: esbuild made nothing of ${source}`);
    return hit[0];
};
const brotli = (path) => brotliCompressSync(readFileSync(resolve(here, path))).length;

/* Everything that `path` imports at once, itself included. */
function closure(path, seen = new Set()) {
    if (seen.has(path)) return seen;
    seen.add(path);
    for (const i of outputs[path].imports) if (i.kind === 'import-statement') closure(i.path, seen);
    return seen;
}
const main = entryOf(page, 'src/main.tsx');
const style = entryOf(page, 'src/css/index.css');
const early = entryOf(theme, 'src/theme.ts');
const first = closure(main);
const chart = Object.keys(outputs).find((p) => outputs[p].entryPoint === 'src/charts/draw.ts');
if (!chart) throw new Error('build.mjs: the charts are not a chunk of their own');
const later = [...closure(chart)].filter((p) => !first.has(p));

/* Screens of their own: what each brings that the first load has not, charts apart. */
const screens = Object.entries(outputs)
    .filter(([, o]) => o.entryPoint?.startsWith('src/pages/'))
    .map(([p, o]) => [basename(o.entryPoint, '.tsx'), [...closure(p)].filter((x) => !first.has(x))]);

const sum = (paths) => paths.reduce((n, p) => n + brotli(p), 0);
const budget = [
    ['script of the first load', sum([...first, early]), 60 << 10],
    ['CSS', brotli(style), 15 << 10],
    ['charts', sum(later), 200 << 10],
    ...screens.map(([name, paths]) => [`screen ${name}`, sum(paths), 40 << 10]),
];
let over = false;
for (const [what, bytes, limit] of budget) {
    console.log(`${what}: ${(bytes / 1024).toFixed(1)} KB of ${limit >> 10} KB (brotli)`);
    if (bytes > limit) {
        console.error(`build.mjs: ${what} is over its budget of ${limit >> 10} KB`);
        over = true;
    }
}
if (over) process.exit(1);

const html = readFileSync(join(here, 'src/index.html'), 'utf8')
    .replace('{{theme}}', '/' + basename(early))
    .replace('{{style}}', '/' + basename(style))
    .replace('{{main}}', '/' + basename(main))
    .replace(
        '{{preload}}',
        [...first]
            .filter((p) => p !== main)
            .map((p) => `<link rel="modulepreload" href="/${basename(p)}">`)
            .join('\n'),
    );
if (/\{\{/.test(html)) throw new Error('build.mjs: index.html has a placeholder nobody filled');
writeFileSync(join(dir, 'index.html'), html);
copyFileSync(join(here, 'src/favicon.svg'), join(dir, 'favicon.svg'));
