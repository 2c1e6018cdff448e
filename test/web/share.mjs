/*
 * share.mjs - sharing a view, a virtual tag and a telemetry as people do, personal tokens, links to join by, and the page
 * that explains access; both themes and widths with axe.
 */
import { join } from 'node:path';
import { axe, chromium, chromiumPath, focus, run, same, screens, serve, test, that, tmp, until } from './lib.mjs';

if (!chromiumPath) process.exit(0); // page.mjs has said so
const data = join(tmp, 'share-data');
const link = /signin#(\S+)/.exec(run('init', '--data', data, '--admin', 'ann@example.com'))[1];
run('load', '--data', data, '--source', 'bill', focus('share.csv', [{ ServiceName: 'Alpha', cost: '30.00' }, { ServiceName: 'Beta', cost: '70.00' }]));
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
async function activate(p, secret, password) {
    await p.goto(`/signin#${secret}`);
    await p.getByLabel('Password', { exact: true }).fill(password);
    await p.getByLabel('The same again').fill(password);
    await p.getByRole('button', { name: /Set password/ }).click();
    await p.getByRole('navigation', { name: 'Main' }).first().waitFor();
}
const api = (p, method, path, body) => p.evaluate(async ([m, u, b]) => {
    const r = await fetch(u, { method: m, headers: { 'X-Requested-With': 'x', 'Content-Type': 'application/json' }, ...(b ? { body: JSON.stringify(b) } : {}) });
    return { status: r.status, json: r.status === 204 ? null : await r.json() };
}, [method, path, body]);

const admin = await person();
await activate(admin, link, 'seven copper kettles whistle');
const people = [];
for (const [email, role] of [['ben@example.com', 'basic'], ['cleo@example.com', 'basic']]) {
    const made = await api(admin, 'POST', '/api/admin/users', { email, roles: [role] });
    const p = await person();
    await activate(p, made.json.link.split('#')[1], 'orchid lantern gravel');
    people.push(p);
}
const [ben, cleo] = people;
const view = (await api(ben, 'POST', '/api/views', { name: 'Ben\u2019s costs', question: {} })).json;
const tag = (await api(ben, 'POST', '/api/tags', { name: 'Ben tag', kind: 'rules', defaultValue: 'Untagged', rules: [{ to: 'x', filters: { costCenter: 'AWS', key: 'service', type: 'billing_dimension', operator: 'is', value: 'Alpha' } }] })).json;
const telemetry = (await api(admin, 'POST', '/api/telemetry', { name: 'Orders', type: 'csv', field: 'team', metrics: ['orders'] })).json;
const names = async (p, path, list) => (await api(p, 'GET', path)).json[list].map((x) => x.id);

await test('share: a new view is its maker\u2019s alone, and is shared with a person to look at', async () => {
    that(!(await names(cleo, '/api/views', 'views')).includes(view.id), 'private at first');
    await ben.goto('/megabill');
    await ben.getByRole('button', { name: 'Views' }).click();
    await ben.getByRole('button', { name: /^Share Ben/ }).click();
    const d = ben.getByRole('dialog', { name: /^Share Ben/ });
    await d.getByText('You, its owner').waitFor();
    await d.getByRole('combobox', { name: 'Who may change it' }).selectOption('public');
    await d.getByRole('alert').getByText('More people could change it').waitFor();
    same(await d.getByRole('button', { name: 'Save' }).isDisabled(), true);
    await d.getByRole('combobox', { name: 'Who may change it' }).selectOption('private');
    await d.getByRole('combobox', { name: 'Who may see it' }).selectOption('shared');
    await d.getByLabel('Search people and groups: Who may see it').fill('cleo');
    await d.getByRole('checkbox').check();
    await axe(ben, 'the share dialog');
    await d.getByRole('button', { name: 'Save' }).click();
    await d.waitFor({ state: 'detached' });
    that((await names(cleo, '/api/views', 'views')).includes(view.id), 'cleo sees it');
    same((await api(cleo, 'PUT', `/api/views/${view.id}`, { name: 'mine' })).status, 403);
    await cleo.goto('/megabill');
    await cleo.getByRole('button', { name: 'Views' }).click();
    await cleo.getByRole('button', { name: /^Share Ben/ }).click();
    await cleo.getByText('You may look at this but not share it').waitFor();
    await cleo.getByRole('button', { name: 'Close' }).last().click();
});
await test('share: a virtual tag and a telemetry', async () => {
    await ben.goto(`/virtual-tags/${tag.id}`);
    await ben.getByRole('button', { name: 'Share' }).click();
    const d = ben.getByRole('dialog', { name: 'Share Ben tag' });
    await d.getByRole('combobox', { name: 'Who may see it' }).selectOption('public');
    await d.getByRole('button', { name: 'Save' }).click();
    await d.waitFor({ state: 'detached' });
    that((await names(cleo, '/api/tags', 'tags')).includes(tag.id), 'cleo sees the tag');
    await admin.goto('/telemetry');
    await admin.getByRole('row', { name: /Orders/ }).getByRole('button', { name: 'Actions for Orders' }).click();
    await admin.getByRole('button', { name: 'Share', exact: true }).click();
    const t = admin.getByRole('dialog', { name: 'Share Orders' });
    await t.getByRole('combobox', { name: 'Who may see it' }).selectOption('public');
    await t.getByRole('button', { name: 'Save' }).click();
    await t.waitFor({ state: 'detached' });
    that((await names(cleo, '/api/telemetry', 'telemetry')).includes(telemetry.id), 'cleo sees the telemetry');
});
let token = {};
await test('share: a personal token asks as its owner, is rotated and revoked', async () => {
    await ben.goto('/settings');
    await ben.getByRole('button', { name: 'Generate a personal token' }).click();
    const d = ben.getByRole('dialog', { name: 'Generate token' });
    await d.getByLabel('Description').fill('my script');
    await d.getByText('It sees what you see').waitFor();
    await d.getByLabel('Role').selectOption('basic');
    await d.getByRole('button', { name: 'Generate' }).click();
    const shown = ben.getByRole('dialog', { name: 'Token generated' });
    const codes = await shown.locator('code').allInnerTexts();
    token = { 'x-finout-client-id': codes[0], 'x-finout-secret-key': codes[1] };
    await shown.getByRole('button', { name: 'I have kept it' }).click();
    same((await fetch(`${server.base}/v1/view`, { headers: token })).status, 200);
    await ben.getByRole('button', { name: 'Rotate my script' }).click();
    const turned = ben.getByRole('dialog', { name: 'A new secret key' });
    await turned.locator('code').nth(1).waitFor();
    const fresh = (await turned.locator('code').allInnerTexts())[1];
    that(fresh && fresh !== token['x-finout-secret-key'], 'a new secret');
    await turned.getByRole('button', { name: 'I have kept it' }).click();
    same((await fetch(`${server.base}/v1/view`, { headers: { ...token, 'x-finout-secret-key': fresh } })).status, 200);
    await ben.getByRole('button', { name: 'Revoke my script' }).click();
    await ben.getByRole('button', { name: 'Revoke for good' }).click();
    await until('the token is refused', async () => (await fetch(`${server.base}/v1/view`, { headers: token })).status === 401);
});
await test('share: a link to join by is made, used and revoked', async () => {
    await admin.goto('/admin');
    await admin.getByRole('button', { name: 'Make a link' }).click();
    const d = admin.getByRole('dialog', { name: 'A link to join by' });
    await d.getByLabel('Mail domains that may use it').or(d.getByLabel(/Mail domains/)).first().fill('example.org');
    await d.getByRole('button', { name: 'Make the link' }).click();
    const url = await d.locator('code').innerText();
    await d.getByRole('button', { name: 'I have kept it' }).click();
    const p = await person();
    await p.goto(new URL(url).pathname + new URL(url).hash);
    await p.getByLabel('E-mail').fill('dora@example.org');
    await p.getByLabel('Password', { exact: true }).fill('violet harbour stone');
    const again = p.getByLabel('The same again');
    if (await again.count()) await again.fill('violet harbour stone');
    await p.getByRole('button', { name: /Join/ }).click();
    await p.getByRole('navigation', { name: 'Main' }).first().waitFor();
    await admin.reload();
    await admin.getByText('used 1 of 50 times').waitFor();
    await admin.getByRole('button', { name: /^Revoke the link/ }).click();
    await admin.getByText('No link is open.').waitFor();
});
await test('share: why somebody may, and may not', async () => {
    await admin.goto('/admin/explain');
    await admin.getByLabel('Person or token').selectOption({ label: 'cleo@example.com' });
    await admin.getByLabel('Action').selectOption({ label: 'Audit: Read the audit log' });
    await admin.locator('.askwho label', { hasText: /^Object/ }).locator('select').selectOption({ label: 'view: Ben\u2019s costs' });
    await admin.getByText('none of basic has').waitFor();
    await admin.getByText('May see', { exact: true }).waitFor();
    await admin.getByText('every row', { exact: true }).first().waitFor();
});
for (const colorScheme of ['light', 'dark'])
    for (const width of [1440, 390])
        await test(`share: screens in ${colorScheme} at ${width}`, async () => {
            const p = await person({ colorScheme, viewport: { width, height: 900 }, storageState: await admin.context().storageState() });
            const shoot = async (name) => {
                await axe(p, `${name} ${colorScheme} ${width}`);
                that(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1), `${name} fits ${width}`);
                await p.screenshot({ path: join(screens, `share-${name}-${colorScheme}-${width}.png`) });
            };
            await p.goto('/admin/explain');
            await p.getByLabel('Person or token').selectOption({ label: 'ben@example.com' });
            await p.getByText('belongs to this account').waitFor();
            await shoot('explain');
            await p.goto('/settings');
            await p.getByRole('heading', { name: 'Personal tokens' }).waitFor();
            await shoot('profile');
            await p.goto(`/virtual-tags/${tag.id}`);
            await p.getByRole('button', { name: 'Share' }).click();
            await p.getByRole('combobox', { name: 'Who may see it' }).selectOption('shared');
            await p.getByText('ben@example.com').first().waitFor();
            that((await p.getByRole('combobox', { name: 'Who may change it' }).boundingBox()).height > 20, 'the dialog is open');
            await shoot('dialog');
            await p.context().close();
        });
await test('share: nothing broke', async () => same(broken, []));
await browser.close();
await server.stop();
