/*
 * contrast.mjs - the colours of web/src/css/tokens.css: 4.5:1 for text, 3:1 for marks, in both themes;
 * the eight series told apart with normal sight and with the two common kinds of colour blindness.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { report } from './lib.mjs';

const css = readFileSync(join(process.env.FARTHING_ROOT ?? '.', 'web/src/css/tokens.css'), 'utf8');
const blocks = [...css.matchAll(/(:root[^{]*)\{([^}]*)\}/g)].map((m) => [m[1].trim(), Object.fromEntries([...m[2].matchAll(/--([a-z0-9-]+):\s*(#[0-9a-f]{6,8})/g)].map((x) => [x[1], x[2]]))]);
const light = blocks.find(([s]) => s === ':root')[1];
const dark = blocks.find(([s]) => s.startsWith(':root[data-theme'))[1];
const system = blocks.find(([s]) => s.startsWith(':root:not'))[1];

const rgb = (h) => [1, 3, 5].map((i) => parseInt(h.slice(i, i + 2), 16) / 255);
const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const luminance = (h) => rgb(h).map(linear).reduce((s, c, i) => s + c * [0.2126, 0.7152, 0.0722][i], 0);
const contrast = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
};

const TEXT = [['ink', 'soft', 'faint', 'up', 'down', 'accent', 'violet'], ['paper', 'card', 'sunk']];
const MARKS = [['c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7', 'c8', 'c0', 'edge'], ['card']];
for (const [name, theme] of [['light', light], ['dark', dark]]) {
    const bad = [];
    for (const t of TEXT[0]) for (const s of TEXT[1]) if (contrast(theme[t], theme[s]) < 4.5) bad.push(`${t} on ${s} ${contrast(theme[t], theme[s]).toFixed(2)}`);
    for (const [t, s] of [['accent', 'accent-wash'], ['ink', 'accent-wash'], ['accent-ink', 'accent'], ['soft', 'accent-wash']]) if (contrast(theme[t], theme[s]) < 4.5) bad.push(`${t} on ${s} ${contrast(theme[t], theme[s]).toFixed(2)}`);
    report(`${name}: every text colour has 4.5:1 on every surface`, bad.length === 0, bad.join(', '));
    const marks = [];
    for (const m of MARKS[0]) for (const s of MARKS[1]) if (contrast(theme[m], theme[s]) < 3) marks.push(`${m} on ${s} ${contrast(theme[m], theme[s]).toFixed(2)}`);
    report(`${name}: every mark has 3:1 on the card`, marks.length === 0, marks.join(', '));
}
report('the system theme and the chosen dark theme are the same', JSON.stringify(system) === JSON.stringify(dark));

/* Difference in OKLab after the simulation of Machado et al. 2009 (severity 1). */
const SIGHT = {
    normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
};
function oklab(h, m) {
    const l = rgb(h).map(linear);
    const [r, g, b] = m.map((row) => Math.max(0, row.reduce((s, k, i) => s + k * l[i], 0)));
    const [x, y, z] = [0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b, 0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b, 0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b].map(Math.cbrt);
    return [0.2104542553 * x + 0.793617785 * y - 0.0040720468 * z, 1.9779984951 * x - 2.428592205 * y + 0.4505937099 * z, 0.0259040371 * x + 0.7827717662 * y - 0.808675766 * z];
}
for (const [name, theme] of [['light', light], ['dark', dark]])
    for (const [sight, m] of Object.entries(SIGHT)) {
        // Neighbours in the stack: 1-2, 2-3, ... are the pairs that have to be told apart by colour alone.
        const close = [];
        for (let i = 1; i < 8; i++) {
            const [a, b] = [oklab(theme[`c${i}`], m), oklab(theme[`c${i + 1}`], m)];
            const d = Math.hypot(...a.map((v, k) => v - b[k]));
            if (d < 0.05) close.push(`c${i} and c${i + 1} ${d.toFixed(3)}`);
        }
        report(`${name}: neighbouring series differ, ${sight}`, close.length === 0, close.join(', '));
    }
