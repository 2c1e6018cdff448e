/*
 * saml.mjs - single sign-on by SAML as people do it, in a real browser with npm's saml-idp at another site: metadata fills the
 * form, a test sign-in tells what would happen, somebody signs in and has an account. Both themes and widths, with axe.
 */
import { spawn, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { axe, chromium, chromiumPath, notice, run, same, screens, secret, serve, test, that, tmp, until } from './lib.mjs';

if (!chromiumPath) process.exit(0); // page.mjs has said so
const PASSWORD = secret('seven copper kettles whistle');
const data = join(tmp, 'saml-data'), key = join(tmp, 'saml-vault.key');
const link = /signin#(\S+)/.exec(run('init', '--data', data, '--admin', 'admin@example.com'))[1];
run('vault', 'key', key);
const server = await serve(data, '--vault-key', key);
const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
const broken = [];
async function person(options = {}) {
    const c = notice(await browser.newContext({ viewport: { width: 1440, height: 1000 }, baseURL: server.base, ...options }));
    const p = await c.newPage();
    p.setDefaultTimeout(30_000);
    p.on('pageerror', (e) => { if (p.url().startsWith(server.base)) broken.push(e.message); });
    return p;
}
const admin = await person();
await admin.goto('/signin#' + link);
for (const i of [0, 1]) await admin.locator('input[type=password]').nth(i).fill(PASSWORD);
await admin.click('button.primary');
await admin.waitForURL('**/megabill');

/* ---- the provider, at "localhost": another site than 127.0.0.1 ---- */
const pem = (name) => join(tmp, name);
execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', pem('idp.8'), '-out', pem('idp.crt'), '-days', '20', '-subj', '/CN=Corporate IdP', '-sha256'], { stdio: 'ignore' });
execFileSync('openssl', ['rsa', '-in', pem('idp.8'), '-traditional', '-out', pem('idp.key')], { stdio: 'ignore' });
const attribute = (id, multiValue = false) => ({ id, optional: true, displayName: id, multiValue });
let idp = null;
async function provider(addresses) {
    writeFileSync(pem('idp.json'), JSON.stringify({ host: '127.0.0.1', issuer: 'urn:corporate', acsUrl: addresses.acs, sloUrl: addresses.slo, audience: addresses.entity,
        cert: readFileSync(pem('idp.crt'), 'utf8'), key: readFileSync(pem('idp.key'), 'utf8'),
        config: { user: { userName: 'u-77', nameIdFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent', email: 'ana@example.com', displayName: 'Ana Example', groups: 'finance' },
            metadata: [attribute('email'), attribute('displayName'), attribute('groups', true)] } }));
    idp = spawn('node', ['test/peer/peers.mjs', 'saml', pem('idp.json')], { stdio: ['ignore', 'pipe', 'ignore'] });
    const port = await new Promise((resolve, reject) => {
        idp.stdout.on('data', (b) => {
            const m = /port (\d+)/.exec(String(b));
            if (m) resolve(m[1]);
        });
        idp.on('exit', () => reject(new Error('saml-idp ended')));
    });
    return `http://localhost:${port}`;
}
const signInThere = async (p) => {
    await p.waitForURL(/localhost:\d+\/saml\/sso/);
    await p.evaluate(() => { document.querySelector('#nameIdFormat').value = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'; }); // it is folded away
    await p.click('#btn-sign-in');
};

await test('saml: the metadata of a provider fills the form, and what it needs of us is there to copy', async () => {
    const base = await provider({ acs: 'https://later.example', slo: 'https://later.example', entity: 'https://later.example' });
    writeFileSync(pem('metadata.xml'), await (await fetch(base + '/metadata')).text());
    await admin.goto('/admin/sso');
    await admin.getByRole('heading', { name: 'No identity provider yet' }).waitFor();
    await admin.getByRole('button', { name: 'Connect by SAML 2.0' }).click();
    const d = admin.getByRole('dialog', { name: 'Connect by SAML 2.0' });
    await d.getByLabel('Name', { exact: true }).fill('Corporate');
    writeFileSync(pem('bad.xml'), '<!DOCTYPE a><a/>');
    await d.getByLabel('File').setInputFiles(pem('bad.xml'));
    await d.getByText('the metadata was refused: the XML has a document type').waitFor();
    await d.getByLabel('File').setInputFiles(pem('metadata.xml'));
    await d.getByText('CN=Corporate IdP, RSA 2048').waitFor();
    that((await d.getByText('good until').getAttribute('class') ?? '').includes('failed'), 'a certificate that ends in 20 days is marked');
    same(await d.getByLabel('Entity ID of the provider').inputValue(), 'urn:corporate');
    same(await d.getByLabel('Sign-in address').inputValue(), base + '/saml/sso');
    that((await d.getByLabel('Signing certificates').inputValue()).startsWith('-----BEGIN CERTIFICATE-----'), 'the certificate is in its field');
    await d.getByLabel(/Trust the provider/).check();
    await axe(admin, 'add connection');
    await d.getByRole('button', { name: 'Save', exact: true }).click();
    const saved = admin.getByRole('dialog', { name: 'Corporate' });
    await saved.getByText('Assertion consumer service (reply URL)').first().waitFor();
    for (const end of ['/metadata', '/acs', '/slo']) that((await saved.locator('.copyfield code').allInnerTexts()).some((t) => t.startsWith(server.base + '/api/sso/') && t.endsWith(end)), end);
    that((await saved.locator('.copyfield').allInnerTexts()).some((t) => t.includes('CN=Corporate IdP') && t.includes('soon to be changed')), 'the end of the certificate is told');
    await saved.getByRole('button', { name: 'Test the set-up' }).click();
    await saved.getByText('The provider answers as it should').waitFor();
    await axe(admin, 'a connection');
    const [file] = await Promise.all([admin.waitForEvent('download'), saved.getByText('Download our metadata').click()]);
    same(file.suggestedFilename(), 'farthing-metadata.xml');
    idp.removeAllListeners('exit');
    idp.kill();
});

await test('saml: a test sign-in says what would happen and signs nobody in', async () => {
    const c = (await admin.evaluate(() => fetch('/api/admin/sso').then((r) => r.json()))).connections[0];
    const base = await provider({ acs: c.addresses['Assertion consumer service (reply URL)'], slo: c.addresses['Single logout service'], entity: c.addresses['Entity ID (audience)'] });
    await admin.reload();
    await admin.getByRole('button', { name: 'Corporate' }).click();
    const d = admin.getByRole('dialog', { name: 'Corporate' });
    await d.getByLabel('Sign-in address').fill(base + '/saml/sso');
    await d.getByLabel('Sign-out address').fill(base + '/saml/slo');
    await d.getByLabel('Sign out at the provider as well').check();
    await d.getByRole('button', { name: 'Map a group' }).click();
    await d.getByLabel('Group 1', { exact: true }).fill('finance');
    await d.getByLabel('Role of group 1', { exact: true }).selectOption('basic');
    await d.getByRole('button', { name: 'Sign in as a test' }).click();
    await signInThere(admin);
    const o = admin.getByRole('dialog', { name: 'What the test came to' });
    await o.getByText('get a new account').waitFor();
    for (const text of ['u-77', 'ana@example.com', 'Ana Example', 'finance', 'Basic']) await o.getByText(text).first().waitFor();
    await axe(admin, 'outcome of a test');
    await o.getByRole('button', { name: 'Done' }).click();
    await until('the address without the test', () => !admin.url().includes('test='));
    same((await admin.evaluate(() => fetch('/api/session').then((r) => r.json()))).user.email, 'admin@example.com');
});

await test('saml: somebody signs in from another site and out again', async () => {
    await admin.getByRole('button', { name: 'Corporate' }).click();
    const d = admin.getByRole('dialog', { name: 'Corporate' });
    await d.getByRole('button', { name: 'Put into use' }).click();
    await admin.getByText('Corporate is on the sign-in page').first().waitFor();
    const id = (await admin.evaluate(() => fetch('/api/admin/sso').then((r) => r.json()))).connections[0].id;
    const ana = await person();
    await ana.goto(`/api/sso/${id}/start?back=/megabill`);
    await signInThere(ana);
    await ana.waitForURL(server.base + '/megabill');
    const s = await ana.evaluate(() => fetch('/api/session').then((r) => r.json()));
    same([s.user.email, s.user.name, [...s.user.roles].sort()], ['ana@example.com', 'Ana Example', ['basic', 'read-only']]);
    const out = await ana.evaluate(() => fetch('/api/session', { method: 'DELETE', headers: { 'X-Requested-With': 'farthing' } }).then((r) => r.json()));
    await ana.goto(out.next); // the provider answers with a form that sends itself
    await ana.waitForURL(/\/signin/);
    same(await ana.evaluate(() => fetch('/api/session').then((r) => r.status)), 401);
    await ana.context().close();
});

await test('saml: both themes and widths, and a new key pair', async () => {
    for (const colorScheme of ['light', 'dark'])
        for (const width of [1440, 360]) {
            const p = await person({ viewport: { width, height: 900 }, colorScheme, storageState: await admin.context().storageState() });
            await p.goto('/admin/sso');
            await p.getByRole('button', { name: 'Corporate' }).waitFor();
            await p.screenshot({ path: join(screens, `sso-${colorScheme}-${width}.png`) });
            await p.getByRole('button', { name: 'Corporate' }).click();
            const d = p.getByRole('dialog', { name: 'Corporate' });
            await d.getByText('To enter at the provider').waitFor();
            await axe(p, `connection ${colorScheme} ${width}`);
            that(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `nothing sticks out at ${width}`);
            await p.screenshot({ path: join(screens, `sso-form-${colorScheme}-${width}.png`) });
            await d.getByText('To enter at the provider').scrollIntoViewIfNeeded();
            await p.screenshot({ path: join(screens, `sso-needs-${colorScheme}-${width}.png`) });
            if (colorScheme === 'dark' && width === 360) {
                await d.getByRole('button', { name: 'New key pair' }).click();
                await p.getByRole('button', { name: 'Make a new key pair' }).click();
                await p.getByText('The key pair is new').waitFor();
            }
            await p.context().close();
        }
    same(broken, [], 'errors in the page');
});

idp?.removeAllListeners('exit');
idp?.kill();
await browser.close();
await server.stop();
