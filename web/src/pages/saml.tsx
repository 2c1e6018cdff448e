/* saml.tsx - the SAML part of a connection: the provider's metadata becomes its fields, ours is there to hand over. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { session as sessionCell, toast, whyNot } from '../app';
import { call, type ApiError } from '../lib/api';
import { useCell } from '../lib/cell';
import { moment } from '../lib/day';
import type { Session } from '../lib/types';
import { Guarded } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { caught, Problem } from './admin';

interface Certificate {
    subject: string;
    fingerprint: string;
    key: string;
    from: string;
    to: string;
}
interface Read {
    config: Record<string, string>;
    certificates: Certificate[];
}
const MAX = 262_144;
const SOON = 30 * 86_400_000;

/** What the provider says of itself, from a file or an address. It fills the form; the form saves it. */
export function SamlMetadata({ onRead }: { onRead: (config: Record<string, string>) => void }): JSX.Element {
    const [url, setUrl] = useState('');
    const [read, setRead] = useState<Read | null>(null);
    const [wrong, setWrong] = useState<ApiError | null>(null);
    const [busy, setBusy] = useState(false);
    const [tooLarge, setTooLarge] = useState(false);
    const ask = (what: { xml: string } | { url: string }): void => {
        setWrong(null);
        setRead(null);
        setBusy(true);
        call<Read>('POST', '/api/admin/sso/metadata', what).then((r) => { setRead(r); onRead(r.config); }).catch(caught(setWrong)).finally(() => setBusy(false));
    };
    const file = (e: JSX.TargetedEvent<HTMLInputElement>): void => {
        const f = e.currentTarget.files?.[0];
        setTooLarge(!!f && f.size > MAX);
        if (f && f.size <= MAX) void f.text().then((xml) => ask({ xml }));
    };
    const why = busy ? 'the metadata is being read' : url === '' ? 'there is no address yet' : whyNot('sso.edit');
    return (
        <fieldset class="bare stack">
            <legend>Metadata of the provider</legend>
            <p class="soft small">Fills the fields below with what the provider says of itself. Nothing counts before it is saved.</p>
            <label>File<input type="file" accept=".xml,application/xml,text/xml,application/samlmetadata+xml" onChange={file} /></label>
            <label>Or its address<input type="text" inputMode="url" value={url} placeholder="https://idp.example.com/metadata" autocomplete="off" spellcheck={false} aria-invalid={wrong?.field === 'url' || undefined} onInput={(e) => setUrl(e.currentTarget.value.trim())} /></label>
            <div class="row"><Guarded why={why} onClick={() => ask({ url })}>Fetch the metadata</Guarded></div>
            {tooLarge ? <p class="problem" role="alert">The file is larger than 256 KiB. Give the metadata of this one provider, not of a whole federation.</p> : null}
            <Problem error={wrong} />
            {read ? <div role="status"><p class="small">Read: <code>{read.config.entityId}</code></p><Certificates list={read.certificates} /></div> : null}
        </fieldset>
    );
}

function Certificates({ list }: { list: Certificate[] }): JSX.Element {
    const today = (useCell(sessionCell) as Session).today;
    return (
        <ul class="small">{list.map((c) => {
            const left = Date.parse(c.to) - Date.now();
            return (
                <li key={c.fingerprint}>{c.subject}, {c.key}, <span class={left < SOON ? 'badge failed' : undefined}>{left < 0 ? 'ended' : 'good until'} {moment(c.to, today)}</span><br /><code class="soft">{c.fingerprint.slice(0, 16)}</code></li>
            );
        })}</ul>
    );
}

/** Our key pair is changed with care: the provider knows the old one. */
export function SamlKey({ id }: { id: string }): JSX.Element {
    const [asking, setAsking] = useState(false);
    const [wrong, setWrong] = useState<ApiError | null>(null);
    const renew = (): void => {
        setWrong(null);
        call('POST', `/api/admin/sso/${id}/key`).then(() => { setAsking(false); toast('The key pair is new. Give the provider the new metadata.'); }).catch(caught(setWrong));
    };
    return (
        <>
            <div class="row wrap">
                <a class="button" href={`/api/sso/${id}/metadata`} download="farthing-metadata.xml">Download our metadata</a>
                <Guarded why={whyNot('sso.edit')} onClick={() => setAsking(true)}>New key pair</Guarded>
            </div>
            {asking ? (
                <Dialog title="New key pair" kind="middle" onClose={() => setAsking(false)}>
                    <p>What this connection signs and decrypts with is made anew at once. Until the provider has the new metadata, providers that check requests or encrypt assertions let nobody in by it.</p>
                    <Problem error={wrong} />
                    <div class="row end"><button type="button" onClick={() => setAsking(false)}>Cancel</button><Guarded why={whyNot('sso.edit')} class="danger" onClick={renew}>Make a new key pair</Guarded></div>
                </Dialog>
            ) : null}
        </>
    );
}
