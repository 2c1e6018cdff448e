/* accounts.mjs - a second account is made, entered and left in the page; both themes and widths with axe. */
import { join } from 'node:path';
import { axe, chromium, chromiumPath, focus, run, same, screens, serve, test, that, tmp, until } from './lib.mjs';

if (!chromiumPath) process.exit(0); // page.mjs has said so
const data = join(tmp, 'accounts-data');
const link = /signin#(\S+)/.exec(run('init', '--data', data, '--admin', 'ann@example.com'))[1];
run('load', '--data', data, '--source', 'bill', focus('accounts.csv', [{ ServiceName: 'Alpha', cost: '30.00' }]));
const server = await serve(data);
const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
const broken = [];
async function person(options = {}) {
    const c = await browser.newContext({ viewport: { width: 1440, height: 1000 }, baseURL: server.base, ...options });
    const p = await c.newPage();
    p.setDefaultTimeout(15_000);
    p.on('pageerror', (e) => broken.push(e.message));
    return p;
}
const p = await person();
await p.goto(`/signin#${link}`);
await p.getByLabel('Password', { exact: true }).fill('seven copper kettles whistle');
await p.getByLabel('The same again').fill('seven copper kettles whistle');
await p.getByRole('button', { name: /Set password/ }).click();
await p.getByRole('navigation', { name: 'Main' }).first().waitFor();
const nav = (page) => page.getByRole('navigation', { name: 'Main' }).first().getByLabel('Account');

await test('accounts: one account shows no switch, a second is made', async () => {
    same(await nav(p).count(), 0);
    await p.goto('/admin/accounts');
    await p.getByRole('button', { name: 'Add account' }).click();
    const d = p.getByRole('dialog', { name: 'Add account' });
    await d.getByLabel('Name').fill('Subsidiary');
    await d.getByRole('button', { name: 'Add', exact: true }).click();
    await d.waitFor({ state: 'detached' });
    await p.getByRole('row', { name: /Subsidiary/ }).waitFor();
    await nav(p).waitFor();
    await p.getByRole('button', { name: 'Rename Subsidiary' }).click();
    await p.getByRole('dialog').getByLabel('Name').fill('Branch');
    await p.getByRole('button', { name: 'Rename', exact: true }).click();
    await p.getByRole('row', { name: /Branch/ }).waitFor();
});
await test('accounts: the switch leads there and back, and nothing comes along', async () => {
    await p.goto('/megabill');
    await p.getByText('$30.00').first().waitFor();
    await nav(p).selectOption({ label: 'Branch' });
    await until('the other account', async () => (await nav(p).count()) === 1 && (await nav(p).evaluate((s) => s.selectedOptions[0].text)) === 'Branch');
    await p.goto('/megabill');
    await p.getByRole('heading', { level: 1 }).waitFor();
    await until('no bill', async () => !(await p.locator('main').innerText()).includes('$30.00'));
    await p.goto('/admin');
    await p.getByRole('button', { name: 'Add member' }).waitFor();
    same(await p.getByRole('link', { name: 'Accounts', exact: true }).count(), 0);
    await axe(p, 'users of another account');
    await nav(p).selectOption({ index: 0 });
    await p.getByText('$30.00').first().waitFor();
});
await test('accounts: all accounts together, each and the sum', async () => {
    const id = run('account', 'create', '--data', data, 'Overseas').trim();
    run('load', '--data', data, '--account', 'Overseas', '--source', 'bill', focus('overseas.csv', [{ ServiceName: 'Beta', cost: '12.25' }]));
    run('account', 'add', '--data', data, id, 'ann@example.com', '--role', 'admin');
    await p.goto('/all-accounts');
    await p.getByRole('heading', { name: 'All accounts' }).waitFor();
    const table = p.getByRole('table', { name: 'Cost by account' });
    const sum = async (name) => (await table.getByRole('row', { name }).getByRole('cell').nth(1).innerText()).trim();
    await table.waitFor();
    same(await sum(/Overseas/), '$12.25');
    same(await sum(/Together/), '$42.25');
    await p.getByText('Branch · no cost').waitFor();
    const by = p.getByLabel('Group by');
    await until('keys', async () => (await by.locator('option').count()) > 1);
    await by.selectOption(JSON.stringify(['Global', 'service', 'billing_dimension']));
    const groups = p.getByRole('table', { name: 'Cost by Service' });
    await groups.getByRole('row', { name: /Alpha.*30\.00/ }).waitFor();
    await groups.getByRole('row', { name: /Beta.*12\.25/ }).waitFor();
    await axe(p, 'all accounts');
    await p.setViewportSize({ width: 390, height: 900 });
    await axe(p, 'all accounts at 390');
    await p.setViewportSize({ width: 1440, height: 1000 });
});
for (const colorScheme of ['light', 'dark'])
    for (const width of [1440, 390])
        await test(`accounts: screens in ${colorScheme} at ${width}`, async () => {
            const q = await person({ colorScheme, viewport: { width, height: 900 }, storageState: await p.context().storageState() });
            for (const [name, path] of [['admin', '/admin/accounts'], ['profile', '/settings'], ['all', '/all-accounts']]) {
                await q.goto(path);
                await (name === 'admin' ? q.getByRole('row', { name: /Branch/ }) : name === 'all' ? q.getByRole('rowheader', { name: 'Together' }).first() : q.getByRole('heading', { name: 'Personal tokens' })).waitFor();
                await axe(q, `${path} ${colorScheme} ${width}`);
                that(await q.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1), `${path} fits ${width}`);
                await q.screenshot({ path: join(screens, `accounts-${name}-${colorScheme}-${width}.png`) });
            }
            await q.context().close();
        });
await test('accounts: nothing broke', async () => same(broken, []));
await browser.close();
await server.stop();
