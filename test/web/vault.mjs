/*
 * vault.mjs - the credentials vault in the page: a value goes in and never comes out, is renewed, shows who uses it, and
 * stays while it is used; without a master key the page says what to do. Both themes and widths, with axe.
 */
import { join } from 'node:path';
import { asker, axe, chromium, chromiumPath, notice, run, same, screens, secret, serve, test, that, tmp, until } from './lib.mjs';

if (!chromiumPath) process.exit(0); // page.mjs has said so
const PASSWORD = secret('seven copper kettles whistle');
const data = join(tmp, 'vault-data'), key = join(tmp, 'vault.key');
const link = /signin#(\S+)/.exec(run('init', '--data', data, '--admin', 'admin@example.com'))[1];
let server = await serve(data);
const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
const broken = [];
const bodies = [];
async function person(options = {}) {
    const c = notice(await browser.newContext({ viewport: { width: 1440, height: 1000 }, baseURL: server.base, ...options }));
    const p = await c.newPage();
    p.setDefaultTimeout(15_000);
    p.on('pageerror', (e) => broken.push(e.message));
    p.on('dialog', (d) => broken.push('dialog ' + d.message()));
    p.on('response', (r) => { if (r.url().includes('/api/')) void r.text().then((t) => bodies.push(t)).catch(() => undefined); });
    return p;
}
const FIRST = secret('fi4st-canary-value-0b1c2d'), SECOND = secret('sec0nd-canary-value-9e8f7a');
let admin = await person();
await admin.goto('/signin#' + link);
for (const i of [0, 1]) await admin.locator('input[type=password]').nth(i).fill(PASSWORD);
await admin.click('button.primary');
await admin.waitForURL('**/megabill');

await test('vault: without a master key the page says what to do', async () => {
    await admin.goto('/admin/vault');
    await admin.getByText('The vault has no master key, so').waitFor();
    await admin.getByText('farthing vault key FILE').waitFor();
    const add = admin.getByRole('button', { name: 'Add credential' });
    same(await add.getAttribute('aria-disabled'), 'true');
    await axe(admin, 'no key');
});

await server.stop();
run('vault', 'key', key);
server = await serve(data, '--vault-key', key, '--allow-host', '127.0.0.1:1');
admin = await person();
await admin.goto('/signin');
await admin.getByLabel('E-mail').fill('admin@example.com');
await admin.getByLabel('Password').fill(PASSWORD);
await admin.getByRole('button', { name: 'Sign in' }).click();
await admin.waitForURL('**/megabill');
const ask = asker(admin);
const row = (name) => admin.locator(`tr[data-credential="${name}"]`);

await test('vault: a credential goes in and is never shown', async () => {
    await admin.goto('/admin/vault');
    await admin.getByRole('heading', { name: 'No credential is stored' }).waitFor();
    await admin.getByRole('button', { name: 'Add credential' }).click();
    const d = admin.getByRole('dialog', { name: 'Add credential' });
    await d.getByLabel('Name', { exact: true }).fill('Billing bucket');
    await d.getByLabel('Kind').selectOption('key_pair');
    const save = d.getByRole('button', { name: 'Save in the vault' });
    that(await save.isDisabled(), 'what is required is missing');
    same(await d.getByLabel('Secret access key').getAttribute('type'), 'password', 'a secret is entered blind');
    await d.getByLabel('Access key id').fill('AKIDEXAMPLE00000001');
    await d.getByLabel('Secret access key').fill(FIRST);
    await d.getByLabel('To be renewed').selectOption('90');
    await axe(admin, 'add credential');
    await save.click();
    await row('Billing bucket').waitFor();
    that((await row('Billing bucket').innerText()).includes('nothing'), 'nothing uses it yet');
    await row('Billing bucket').getByRole('button').click();
    await admin.getByRole('dialog', { name: 'Billing bucket' }).getByRole('heading', { name: 'New value' }).waitFor();
    for (const f of await admin.getByRole('dialog').getByLabel(/access key/).all()) same(await f.inputValue(), '', 'no field is filled in');
    await admin.keyboard.press('Escape');
    await admin.reload();
    await row('Billing bucket').waitFor();
    const html = await admin.content();
    that(!html.includes(FIRST), 'the value is nowhere in the page');
});

await test('vault: a value is renewed, its fingerprint changes, its name and reminder stay', async () => {
    const print = () => row('Billing bucket').locator('code').innerText();
    const before = await print();
    that(/^[0-9a-f]{8}$/.test(before), before);
    await row('Billing bucket').getByRole('button').click();
    const d = admin.getByRole('dialog', { name: 'Billing bucket' });
    await d.getByLabel('Access key id').fill('AKIDEXAMPLE00000001');
    await d.getByLabel('Secret access key').fill(SECOND);
    await d.getByRole('button', { name: 'Renew' }).click();
    await until('the new fingerprint', async () => (await print()) !== before);
    const c = (await ask('GET', '/api/credentials')).json.credentials[0];
    that(c.rotatedAt && c.expiresAt, 'renewed, and the reminder is still there');
    await row('Billing bucket').getByRole('button').click();
    await d.getByLabel('Name', { exact: true }).fill('Bucket of bills');
    await d.getByRole('button', { name: 'Save' }).click();
    await row('Bucket of bills').waitFor();
    that((await ask('GET', '/api/credentials')).json.credentials[0].fingerprint === c.fingerprint, 'a new name is no new value');
});

await test('vault: who uses it is named, and while somebody does it cannot be deleted', async () => {
    const c = (await ask('GET', '/api/credentials')).json.credentials[0];
    const made = await ask('POST', '/api/connections', { name: 'House store', kind: 's3-compatible', config: { bucket: 'b', endpoint: 'http://127.0.0.1:1' }, credentialId: c.id, schedule: '', run: false });
    same(made.status, 201, JSON.stringify(made.json));
    await admin.reload();
    await row('Bucket of bills').getByRole('link', { name: 'House store' }).waitFor();
    await row('Bucket of bills').getByRole('button').click();
    const off = admin.getByRole('dialog').getByRole('button', { name: 'Delete' });
    same(await off.getAttribute('aria-disabled'), 'true');
    that((await off.getAttribute('title')).includes('House store'), 'the reason names who uses it');
    await admin.keyboard.press('Escape');
    await row('Bucket of bills').getByRole('link', { name: 'House store' }).click();
    await admin.waitForURL('**/connections/' + made.json.connection.id);
    same((await ask('DELETE', `/api/connections/${made.json.connection.id}`)).status, 204);
    await admin.goto('/admin/vault');
    await row('Bucket of bills').getByRole('button').click();
    await admin.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await admin.getByRole('button', { name: 'Delete for good' }).click();
    await admin.getByRole('heading', { name: 'No credential is stored' }).waitFor();
});

await test('vault: every use of it is in the audit log, no value is', async () => {
    const events = (await ask('GET', '/api/admin/audit?objectType=credential')).json.events;
    for (const want of ['credential.create', 'credential.rotate', 'credential.change', 'credential.delete']) that(events.some((e) => e.action === want), want);
    await new Promise((r) => setTimeout(r, 200));
    that(bodies.length > 10 && !bodies.some((b) => b.includes(FIRST) || b.includes(SECOND)), 'no answer of the server repeats a value');
});

for (const [name, kind, value] of [['Google export', 'json_key', { json: JSON.stringify({ type: 'service_account', client_email: 'x@y.iam', private_key: '-----BEGIN PRIVATE KEY-----\nMIIcanary0000000000000000\n-----END PRIVATE KEY-----' }) }], ['Azure', 'api_key', { key: 'YXp1cmUtY2FuYXJ5LTAwMDAwMDAw' }]])
    await ask('POST', '/api/credentials', { name, kind, value, expiresInDays: 30 });
for (const colorScheme of ['light', 'dark'])
    for (const width of [1440, 390])
        await test(`vault: list and drawer in ${colorScheme} at ${width}`, async () => {
            const p = await person({ colorScheme, viewport: { width, height: 900 }, storageState: await admin.context().storageState() });
            await p.goto('/admin/vault');
            await p.locator('tr[data-credential]').first().waitFor();
            await axe(p, `vault ${colorScheme} ${width}`);
            await p.screenshot({ path: join(screens, `vault-${colorScheme}-${width}.png`) });
            that(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1), `fits ${width}`);
            await p.locator('tr[data-credential]').first().getByRole('button').click();
            await p.getByRole('heading', { name: 'New value' }).waitFor();
            await axe(p, `drawer ${colorScheme} ${width}`);
            await p.screenshot({ path: join(screens, `vault-drawer-${colorScheme}-${width}.png`) });
            await p.context().close();
        });
await test('vault: nothing broke', async () => same(broken, []));
await browser.close();
await server.stop();
