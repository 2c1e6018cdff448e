/*
 * connect.mjs - sources and the wizard, against the real server: a watched folder goes from nothing to loaded,
 * refusals are named where they happen, every step in both themes and widths.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { axe, chromium, chromiumPath, focus, notice, run, same, screens, serve, test, that, tmp, until } from './lib.mjs';

const PASSWORD = 'seven copper kettles whistle';
const data = join(tmp, 'connect-data'), bills = join(tmp, 'connect-bills'), key = join(tmp, 'connect.key');
const link = /signin#(\S+)/.exec(run('init', '--data', data, '--admin', 'admin@example.com'))[1];
run('vault', 'key', key);
mkdirSync(bills, { recursive: true });
copyFileSync(focus('connect.csv', [{ cost: '12.34' }, { cost: '0.66' }, { cost: '-3.00', ChargeDescription: '<img src=x onerror=alert(1)>' }]), join(bills, 'bill.csv'));
const server = await serve(data, '--watch-folders', bills, '--vault-key', key);
const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
const broken = [];
async function context(options) {
    const c = notice(await browser.newContext({ viewport: { width: 1440, height: 1000 }, permissions: ['clipboard-read', 'clipboard-write'], baseURL: server.base, ...options }));
    c.on('page', (p) => {
        p.setDefaultTimeout(15_000);
        p.on('dialog', (d) => broken.push('dialog ' + d.message()));
        p.on('pageerror', (e) => broken.push('exception ' + e.message));
    });
    return c;
}
const main = await context({});
const page = await main.newPage();
const next = (p = page, name = 'Next') => p.getByRole('button', { name, exact: true }).click();

try {
    await page.goto('/signin#' + link);
    await page.locator('input[type=password]').nth(1).waitFor();
    for (const i of [0, 1]) await page.locator('input[type=password]').nth(i).fill(PASSWORD);
    await page.click('button.primary');
    await page.waitForURL('**/megabill');

    await test('no connection yet: the page says so and leads to the wizard', async () => {
        await page.goto('/connections');
        await page.getByRole('heading', { name: 'No connection yet' }).waitFor();
        await page.getByRole('button', { name: 'Connect a bill' }).click();
        await page.waitForURL('**/connections/new');
        const names = await page.locator('.places b').allTextContents();
        for (const want of ['AWS', 'Azure', 'Google Cloud', 'Oracle Cloud', 'S3-compatible', 'Folder']) that(names.includes(want), `${want} is offered: ${names}`);
    });
    await test('a missing field is named, and the policy to paste has what was entered', async () => {
        await page.locator('.places').getByRole('button', { name: 'AWS Amazon S3' }).click();
        await next();
        that((await page.getByRole('alert').textContent()).includes('Bucket'), 'the bucket is missing');
        await page.getByLabel('Bucket', { exact: true }).fill('my-bills');
        await page.getByLabel('Region', { exact: true }).fill('eu-central-1');
        await page.getByLabel('Path in the bucket (optional)').fill('/finops/cur2/');
        await page.getByLabel('Role ARN (optional)').fill('arn:aws:iam::111122223333:role/Farthing');
        await next();
        const policy = JSON.parse(await page.locator('.paste pre').first().textContent());
        same(policy.Statement[0].Resource, 'arn:aws:s3:::my-bills');
        same(policy.Statement[0].Condition.StringLike['s3:prefix'], ['finops/cur2/*']);
        same(policy.Statement[1].Resource, 'arn:aws:s3:::my-bills/finops/cur2/*');
        const id = (await page.evaluate(async () => (await fetch('/api/connections')).json())).externalId;
        that((await page.locator('.paste pre').nth(1).textContent()).includes(id), 'the trust policy has the external id');
        await page.getByRole('button', { name: 'Copy Policy' }).click();
        same(JSON.parse(await page.evaluate(() => navigator.clipboard.readText())), policy, 'what is copied');
    });
    await test('a refusal is named at its step, with what to do', async () => {
        await page.goto('/connections/new?kind=s3-compatible');
        await page.getByLabel('Endpoint').first().fill('http://127.0.0.1:9');
        await page.getByLabel('Bucket', { exact: true }).fill('b');
        await next();
        await page.getByLabel('Access key id').fill('AKID');
        await page.getByLabel('Secret access key').fill('canary-secret-in-the-page');
        await next(page, 'Test connection');
        const bad = page.locator('.checks .bad');
        await bad.waitFor();
        const text = await bad.textContent();
        that(text.includes('Sign in') && text.includes('--allow-host 127.0.0.1:9'), text);
        that(await page.getByRole('button', { name: 'Next', exact: true }).isDisabled(), 'a failed test leads nowhere');
        that(!(await page.content()).includes('canary-secret-in-the-page'), 'the secret is not shown');
    });
    await test('a folder: place, test with three rows, first load, and its runs', async () => {
        await page.goto('/connections/new?kind=folder');
        await page.getByLabel('Folder', { exact: true }).fill(bills);
        await page.getByText('More', { exact: true }).click();
        await page.getByLabel('Wait until unchanged (seconds) (optional)').fill('0');
        await next();
        that((await page.locator('.paste pre').textContent()).includes(`--watch-folders ${bills}`), 'the command');
        await next(page, 'Test connection');
        await page.locator('.checks .good').nth(3).waitFor();
        same(await page.locator('.sample tbody tr').count(), 3, 'rows');
        that((await page.locator('.sample').textContent()).includes('<img src=x onerror=alert(1)>'), 'text stays text');
        await next();
        await page.getByLabel('Name of the source').fill('Watched');
        await next(page, 'Connect and load');
        await page.locator('[data-job=done]').waitFor();
        await page.getByRole('button', { name: 'Its runs' }).click();
        await page.getByRole('dialog').getByRole('table', { name: 'Runs, newest first' }).waitFor();
        const loads = await page.evaluate(async () => (await fetch('/api/loads?source=Watched')).json());
        const totals = await page.evaluate(async (id) => (await fetch('/api/loads/' + id)).json(), loads.loads[0].id);
        same(totals.totals.find((t) => t.column === 'BilledCost').ledger, '10', 'what is loaded');
    });
    await test('run now, pause, rename, delete', async () => {
        await page.goto('/connections');
        await page.getByRole('button', { name: 'Run now: Watched' }).click();
        await until('the second run', async () => (await page.locator('[data-connection=Watched]').textContent()).includes('nothing new') || page.evaluate(async () => {
            const c = (await (await fetch('/api/connections')).json()).connections[0];
            return (await (await fetch(`/api/connections/${c.id}/runs`)).json()).runs.filter((r) => r.state === 'done').length === 2;
        }));
        await page.getByRole('button', { name: 'Watched', exact: true }).click();
        const d = page.getByRole('dialog');
        await d.getByRole('button', { name: 'Pause' }).click();
        await d.getByRole('button', { name: 'Resume' }).waitFor();
        await d.getByLabel('Name').fill('Watched more');
        await d.getByRole('button', { name: 'Save' }).click();
        await page.getByText('Saved').waitFor();
        const c = await page.evaluate(async () => (await (await fetch('/api/connections')).json()).connections[0]);
        same([c.name, c.state, c.nextRunAt], ['Watched more', 'inactive', null]);
    });
    const state = await main.storageState();
    const SCREENS = [
        ['connections', '/connections'],
        ['connect-where', '/connections/new'],
        ['connect-place', '/connections/new?kind=azure'],
        ['connect-grant', '/connections/new?kind=bigquery', async (p) => {
            for (const l of ['Project', 'Dataset', 'Table']) await p.getByLabel(l, { exact: true }).first().fill('x1');
            await next(p);
            await p.locator('.paste').first().waitFor();
        }],
        ['connect-test', '/connections/new?kind=folder', async (p) => {
            await p.getByLabel('Folder', { exact: true }).fill(bills);
            await next(p);
            await next(p, 'Test connection');
            /* a file that was just written is not looked at until it has been still for a while */
            await until('three rows of the folder', async () => {
                if (await p.locator('.sample').count()) return true;
                const again = p.getByRole('button', { name: 'Test again', exact: true });
                if (await again.count()) await again.click();
                await p.waitForTimeout(700);
                return false;
            }, 30_000);
            await p.locator('.sample').waitFor();
        }],
        ['connection', '/connections', async (p) => {
            await p.getByRole('button', { name: 'Watched more', exact: true }).click();
            await p.getByRole('table', { name: 'Deliveries, newest first' }).waitFor();
        }],
    ];
    for (const width of [1440, 390])
        for (const scheme of ['light', 'dark'])
            await test(`sources and the wizard, ${scheme}, ${width} wide: axe finds nothing, nothing is wider than the window`, async () => {
                const c = await context({ viewport: { width, height: width === 390 ? 844 : 1000 }, colorScheme: scheme, storageState: state });
                const p = await c.newPage();
                const wrong = [];
                for (const [name, to, act] of SCREENS) {
                    try {
                        await p.goto(to);
                        await until('the screen', () => p.evaluate(() => document.querySelector('h1') && !document.querySelector('.skeleton')));
                        if (act) await act(p);
                        await p.waitForTimeout(150);
                        await p.screenshot({ path: join(screens, `${name}-${scheme}-${width}.png`) });
                        await axe(p, name);
                        const wide = await p.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
                        if (wide > 0) throw new Error(`${name} is ${wide} px wider than the window`);
                    } catch (e) {
                        wrong.push(e.message);
                    }
                }
                await c.close();
                that(wrong.length === 0, wrong.join(' || '));
            });
    await test('a connection is deleted for good, its bills stay', async () => {
        await page.goto('/connections');
        await page.getByRole('button', { name: 'Watched more', exact: true }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
        await page.getByRole('button', { name: 'Delete for good' }).click();
        await page.getByRole('heading', { name: 'No connection yet' }).waitFor();
        same((await page.evaluate(async () => (await fetch('/api/loads?source=Watched')).json())).loads.filter((l) => l.live).length, 1, 'live loads');
    });
    await test('nothing of these screens threw or opened a dialog', async () => same(broken, []));
} finally {
    await browser.close();
    await server.stop();
}
