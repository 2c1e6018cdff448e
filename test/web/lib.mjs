/* lib.mjs - reporting, and what the page's tests share: the server, the browser, FOCUS files, axe. */
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const root = process.env.FARTHING_ROOT ?? process.cwd();
const need = createRequire(join(root, 'web/'));
let failed = 0;
process.on('exit', () => {
    if (failed && !process.exitCode) process.exitCode = 1;
});

export function report(name, ok, why = '') {
    if (!ok) failed++;
    console.log(ok ? `ok ${name}` : `not ok ${name}${why ? ' - ' + String(why).replace(/\s+/g, ' ').slice(0, 600) : ''}`);
}
export const skip = (name, why) => console.log(`skip ${name} - ${why}`);
/* FARTHING_WEB_ONLY=words runs only the tests whose names have them, for work on one. */
export async function test(name, fn) {
    if (process.env.FARTHING_WEB_ONLY && !new RegExp(process.env.FARTHING_WEB_ONLY).test(name)) return;
    try {
        await fn();
        report(name, true);
    } catch (e) {
        report(name, false, e instanceof Error ? `${e.message} ${(e.stack ?? '').split('\n').find((l) => /test\/web\/(?!lib)\w+\.mjs/.test(l)) ?? ''}` : e);
    }
}
export function same(got, want, what = '') {
    if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what} got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}
export function that(ok, what) {
    if (!ok) throw new Error(what);
}
export async function until(what, fn, ms = 15_000) {
    const end = Date.now() + ms;
    let last;
    for (;;) {
        try {
            const v = await fn();
            if (v) return v;
        } catch (e) {
            last = e;
        }
        if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}${last ? ': ' + last.message : ''}`);
        await new Promise((r) => setTimeout(r, 50));
    }
}

export const tmp = process.env.FARTHING_TMP;
export const farthing = process.env.FARTHING;
export function run(...args) {
    const said = spoken(args);
    for (const m of said.matchAll(/signin#(\S+)|"secretKey": ?"([^"]+)"/g)) secret(m[1] ?? m[2]);
    return said;
}
function spoken(args) {
    const r = spawnSync(farthing, args, { encoding: 'utf8', timeout: 240_000 });
    if (r.status !== 0) throw new Error(`farthing ${args.join(' ')} ended with ${r.status}: ${r.stderr}`);
    return r.stdout;
}

/** Registers a secret of this run: test/secrets looks for it in everything the run leaves behind. */
const secrets = new Set();
export function secret(text) {
    if (typeof text === 'string' && text.length >= 10 && !secrets.has(text)) {
        secrets.add(text);
        if (tmp) appendFileSync(join(tmp, 'secrets.jsonl'), JSON.stringify(text) + '\n');
    }
    return text;
}
/** What a browser is told and types in: cookies, tokens, links, passwords. */
export function notice(context) {
    const words = (v) => (typeof v === 'string' ? [v.split('#').pop()] : Array.isArray(v) ? v.flatMap(words) : v && typeof v === 'object' ? Object.values(v).flatMap(words) : []);
    const take = (text) => {
        const body = JSON.parse(text || 'null');
        for (const name of ['password', 'current', 'next', 'secretKey', 'link', 'challenge', 'recoveryCodes', 'value', 'secret'])
            if (body && typeof body === 'object') for (const w of words(body[name])) if (w) secret(w);
    };
    context.on('request', (r) => {
        if (r.method() !== 'GET' && /session|password|mfa|token|link|user|credential|connection/.test(r.url())) try { take(r.postData()); } catch { /* no JSON */ }
    });
    context.on('response', (r) => {
        void r.headersArray().then((h) => h.filter((x) => x.name.toLowerCase() === 'set-cookie').forEach((x) => secret(x.value.split(';')[0].split('=').slice(1).join('=')))).catch(() => undefined);
        if (r.request().method() !== 'GET' && /session|mfa|token|link|user/.test(r.url())) void r.text().then(take).catch(() => undefined);
    });
    return context;
}

/** A server on a free port; stops with the test. */
let servers = 0;
export async function serve(data, ...more) {
    const child = spawn(farthing, ['serve', '--data', data, '--listen', '127.0.0.1:0', ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
    const log = tmp ? createWriteStream(join(tmp, `web-server-${process.pid}-${servers++}.log`)) : null;
    let out = '';
    const base = await new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error('the server did not start: ' + out)), 60_000);
        const hear = (b) => {
            out += b;
            log?.write(b);
            const m = /serving on (http:\/\/[^\s]+)/.exec(out);
            if (m) {
                clearTimeout(late);
                resolve(m[1]);
            }
        };
        child.stdout.on('data', hear);
        child.stderr.on('data', hear);
        child.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${out}`)));
    });
    return {
        base,
        stop: () => new Promise((resolve) => {
            child.removeAllListeners('exit');
            child.on('exit', (code) => resolve(code));
            child.kill('SIGTERM');
        }),
    };
}

export const { chromium } = need('playwright-core');
export const axeSource = readFileSync(need.resolve('axe-core/axe.min.js'), 'utf8');
export const chromiumPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => existsSync(p));

export const EMAIL = 'admin@example.com';
export const PASSWORD = secret('seven copper kettles whistle');
/*
 * A data folder with the demo bill, its server and a browser. What no page may do (break its policy, open a
 * dialog, throw, ask another host) is gathered in `broken`, but for what happens while `aside` is on.
 */
export async function site(name, rows) {
    const data = join(tmp, name);
    const link = /signin#(\S+)/.exec(run('init', '--data', data, '--admin', EMAIL))[1];
    run('demo', '--data', data, '--rows', String(rows));
    const server = await serve(data);
    const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
    const s = { data, link, server, browser, broken: [], aside: false };
    s.context = async (options) => {
        const c = await browser.newContext({ viewport: { width: 1440, height: 1000 }, permissions: ['clipboard-read', 'clipboard-write'], baseURL: server.base, ...options });
        notice(c);
        await c.exposeFunction('__broken', (what) => {
            if (!s.aside) s.broken.push(what);
        });
        await c.addInitScript(() => {
            document.addEventListener('securitypolicyviolation', (e) => globalThis.__broken(`policy ${e.violatedDirective} ${e.sample} ${e.sourceFile}:${e.lineNumber}`));
        });
        c.on('page', (p) => {
            p.on('dialog', (d) => {
                s.broken.push('dialog ' + d.message());
                void d.dismiss();
            });
            p.on('pageerror', (e) => s.broken.push('exception ' + e.message));
            p.on('request', (r) => {
                const u = new URL(r.url());
                if (u.origin !== server.base && !['data:', 'blob:'].includes(u.protocol)) s.broken.push('outside request ' + r.url());
            });
        });
        return c;
    };
    s.end = async () => {
        await browser.close();
        const code = await server.stop();
        report(`${name}: no dialog, no exception, no outside request, no violation of the policy`, s.broken.length === 0, s.broken.slice(0, 5).join(' | '));
        report(`${name}: the server stops cleanly`, code === 0, `exit code ${code}`);
    };
    return s;
}
/** Nothing on the page is being fetched or out of date. */
export const settle = (p) => until('the answer', () => p.evaluate(() => !document.querySelector('[aria-busy="true"], .skeleton, .stale, main .bone')));
/** The page's API, asked as the page asks it. */
export const asker = (page) => (method, path, body) => page.evaluate(async ([m, p, b]) => {
    const r = await fetch(p, { method: m, headers: { 'Content-Type': 'application/json', 'X-Requested-With': 'farthing' }, body: b === null ? undefined : JSON.stringify(b) });
    const t = await r.text();
    return { status: r.status, json: t ? JSON.parse(t) : null };
}, [method, path, body ?? null]);

/* The script of axe goes in through the debugger, past the page's policy; the page's own CSP stays on. */
export async function axe(page, where) {
    await page.evaluate(axeSource + ';0');
    const found = await page.evaluate(async () => {
        const r = await globalThis.axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
        return r.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? n.all[0]?.message ?? n.none[0]?.message ?? '')).join('; ')}`);
    });
    that(found.length === 0, `${where}: ${found.join(' | ')}`);
}

/* ---- FOCUS files of our own ---- */
const COLUMNS = ['AvailabilityZone', 'BilledCost', 'BillingAccountId', 'BillingAccountName', 'BillingCurrency', 'BillingPeriodEnd', 'BillingPeriodStart', 'ChargeCategory', 'ChargeClass', 'ChargeDescription', 'ChargeFrequency', 'ChargePeriodEnd', 'ChargePeriodStart', 'CommitmentDiscountCategory', 'CommitmentDiscountId', 'CommitmentDiscountName', 'CommitmentDiscountStatus', 'CommitmentDiscountType', 'ConsumedQuantity', 'ConsumedUnit', 'ContractedCost', 'ContractedUnitPrice', 'EffectiveCost', 'InvoiceIssuerName', 'ListCost', 'ListUnitPrice', 'PricingCategory', 'PricingQuantity', 'PricingUnit', 'ProviderName', 'PublisherName', 'RegionId', 'RegionName', 'ResourceId', 'ResourceName', 'ResourceType', 'ServiceCategory', 'ServiceName', 'SkuId', 'SkuPriceId', 'SubAccountId', 'SubAccountName', 'Tags'];
const PLAIN = { BillingAccountId: '1', BillingAccountName: 'Payer', BillingCurrency: 'USD', ChargeCategory: 'Usage', ChargeDescription: 'Hours', ChargeFrequency: 'Usage-Based', ConsumedQuantity: '1', ConsumedUnit: 'Hours', ContractedUnitPrice: '1', InvoiceIssuerName: 'AWS', ListUnitPrice: '1', PricingCategory: 'Standard', PricingQuantity: '1', PricingUnit: 'Hours', ProviderName: 'AWS', PublisherName: 'AWS', RegionId: 'eu-central-1', RegionName: 'Frankfurt', ResourceId: 'r-1', ResourceName: 'box', ResourceType: 'Instance', ServiceCategory: 'Compute', ServiceName: 'Test Service', SkuId: 'S', SkuPriceId: 'SP', SubAccountId: '2', SubAccountName: 'Team', Tags: '{}' };
export const isoDay = (n) => new Date(Date.now() + n * 864e5).toISOString().slice(0, 10);
export function focus(name, rows) {
    const quote = (v) => (v === undefined ? '' : `"${String(v).replace(/"/g, '""')}"`);
    const lines = rows.map((r) => {
        const day = r.day ?? isoDay(-2);
        const month = day.slice(0, 7);
        const next = new Date(Date.UTC(+month.slice(0, 4), +month.slice(5), 1)).toISOString().slice(0, 10);
        const after = new Date(Date.parse(day) + 864e5).toISOString().slice(0, 10);
        const cost = r.cost ?? '1.00';
        const full = { ...PLAIN, BilledCost: cost, EffectiveCost: cost, ListCost: cost, ContractedCost: cost, BillingPeriodStart: `${month}-01T00:00:00Z`, BillingPeriodEnd: `${next}T00:00:00Z`, ChargePeriodStart: `${day}T00:00:00Z`, ChargePeriodEnd: `${after}T00:00:00Z`, ...r };
        return COLUMNS.map((c) => quote(full[c])).join(',');
    });
    const file = join(tmp, name);
    writeFileSync(file, COLUMNS.join(',') + '\n' + lines.join('\n') + '\n');
    return file;
}
export const screens = join(tmp ?? '/tmp', 'screens');
mkdirSync(screens, { recursive: true });
