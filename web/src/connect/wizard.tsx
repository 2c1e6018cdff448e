/* wizard.tsx - connect a bill: where, the place, the grant, a test, the first load. One step at a time. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { copy, go, place, whyNot } from '../app';
import { ApiError, call, get } from '../lib/api';
import { useCell } from '../lib/cell';
import { count } from '../lib/dec';
import type { Job } from '../lib/types';
import { Empty, Failure, Progress, SearchButton, Skeleton } from '../parts/basic';
import { JobLine, Schedule } from '../pages/connections';
import { bytes, PLACES, type Config, type Connections, type Kind, type Paste, type Report, type Vault } from './model';

const STEPS = ['Where', 'Place', 'Grant', 'Test', 'Load'];

export function Wizard({ list, jobs, onMade }: { list: Connections; jobs: Job[]; onMade: () => void }): JSX.Element {
    const where = useCell(place);
    const asked = new URLSearchParams(where.search).get('kind');
    const kind = list.kinds.find((k) => k.name === asked) ?? null;
    const [step, setStep] = useState(0);
    const [config, setConfig] = useState<Config>({});
    const [vault, setVault] = useState<Vault | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [credential, setCredential] = useState('');
    const [secretKind, setSecretKind] = useState('');
    const [secret, setSecret] = useState<Config>({});
    const why = whyNot('costcenters.create');
    const at = kind ? Math.max(1, step) : 0;
    const head = useRef<HTMLHeadingElement>(null);
    useEffect(() => {
        document.title = 'Connect a bill · Farthing';
        get<Vault>('/api/credentials').then(setVault).catch((e: unknown) => e instanceof ApiError && setError(e));
    }, []);
    useEffect(() => {
        setStep(1);
        setSecret({});
        setCredential('');
        setSecretKind(kind?.credentials[0] ?? '');
        setConfig(Object.fromEntries((kind?.fields ?? []).filter((f) => f.required && f.choices.length).map((f) => [f.name, f.choices[0] as string])));
    }, [asked]);
    useEffect(() => head.current?.focus(), [at]);
    const given = (): Record<string, unknown> => {
        const full = Object.fromEntries(Object.entries(config).filter(([, v]) => v.trim() !== ''));
        const filled = Object.fromEntries(Object.entries(secret).filter(([, v]) => v !== ''));
        return { kind: kind?.name, config: full, ...(credential ? { credentialId: credential } : Object.keys(filled).length ? { secretKind, secret: filled } : {}) };
    };
    const needs = kind !== null && kind.credentials.length > 0 && !(kind.name === 'azure' && config['auth'] === 'identity');
    let body: JSX.Element;
    if (why) body = <Empty what="You may not make connections"><p>{why}</p></Empty>;
    else if (error) body = <Failure what="The vault could not be asked" error={error} />;
    else if (!vault) body = <Skeleton rows={4} label="Asking the vault" />;
    else if (!kind) body = <Where list={list} />;
    else if (at === 1) body = <Place kind={kind} config={config} onConfig={setConfig} onNext={() => setStep(2)} />;
    else if (at === 2)
        body = (
            <form class="stack" onSubmit={(e) => { e.preventDefault(); setStep(3); }}>
                {(PLACES[kind.name]?.paste(config, list.externalId) ?? []).map((p) => <PasteBox key={p.title} p={p} />)}
                {needs ? <Credential kind={kind} config={config} vault={vault} credential={credential} secretKind={secretKind} secret={secret}
                    onCredential={setCredential} onKind={(k) => { setSecretKind(k); setSecret({}); }} onSecret={setSecret} /> : null}
                <Steps back={() => setStep(1)} next="Test connection" />
            </form>
        );
    else if (at === 3) body = <Test given={given()} onBack={() => setStep(2)} onNext={() => setStep(4)} />;
    else body = <First kind={kind} given={given} jobs={jobs} onBack={() => setStep(3)} onMade={() => { setSecret({}); onMade(); }} />;
    return (
        <>
            <header class="top"><h1>Connect a bill</h1><span class="sp" /><SearchButton /><button type="button" onClick={() => go('/connections')}>Close</button></header>
            <ol class="steps" aria-label="Steps">{STEPS.map((s, i) => <li key={s} aria-current={i === at ? 'step' : undefined} class={i < at ? 'past' : undefined}>{s}</li>)}</ol>
            <section class="card pad wizard">
                <h2 ref={head} tabIndex={-1}>{kind ? `${PLACES[kind.name]?.title ?? kind.label}: ` : ''}{['Where does the bill lie?', 'the place', 'the grant', 'the test', 'the first load'][at]}</h2>
                {body}
            </section>
        </>
    );
}

const Steps = ({ back, next, off }: { back: () => void; next: string; off?: boolean }): JSX.Element => (
    <div class="row end"><button type="button" class="quiet" onClick={back}>Back</button><button class="primary" disabled={off}>{next}</button></div>
);

const Where = ({ list }: { list: Connections }): JSX.Element => (
    <ul class="places">
        {list.kinds.map((k) => (
            <li key={k.name}><button type="button" onClick={() => go(`/connections/new?kind=${k.name}`)}><b>{PLACES[k.name]?.title ?? k.label}</b><span class="small soft">{k.label}</span></button></li>
        ))}
        <li><button type="button" onClick={() => go('/bills')}><b>Upload</b><span class="small soft">a file, now</span></button></li>
    </ul>
);

function Place({ kind, config, onConfig, onNext }: { kind: Kind; config: Config; onConfig: (c: Config) => void; onNext: () => void }): JSX.Element {
    const missing = kind.fields.filter((f) => f.required && !(config[f.name] ?? '').trim());
    const [tried, setTried] = useState(false);
    const input = (f: Kind['fields'][number]): JSX.Element => {
        const bad = tried && missing.includes(f);
        const set = (v: string): void => onConfig({ ...config, [f.name]: v });
        return (
            <label key={f.name}>{f.label}{f.required ? '' : ' (optional)'}
                {f.choices.length ? <select value={config[f.name] ?? ''} onChange={(e) => set(e.currentTarget.value)}>{f.required ? null : <option value="">automatic</option>}{f.choices.filter((x) => f.required || x !== 'auto').map((x) => <option key={x} value={x}>{x}</option>)}</select>
                    : <input type="text" value={config[f.name] ?? ''} maxLength={1000} placeholder={f.hint} aria-invalid={bad || undefined} onInput={(e) => set(e.currentTarget.value)} />}
                {f.choices.length && f.hint ? <span class="small">{f.hint}</span> : null}
            </label>
        );
    };
    return (
        <form class="stack" onSubmit={(e) => {
            e.preventDefault();
            setTried(true);
            if (!missing.length) onNext();
        }}>
            <p class="soft">{PLACES[kind.name]?.before}</p>
            {kind.fields.filter((f) => f.required || f.name === 'prefix' || f.name === 'roleArn').map(input)}
            <details><summary>More</summary><div class="stack">{kind.fields.filter((f) => !f.required && f.name !== 'prefix' && f.name !== 'roleArn').map(input)}</div></details>
            {tried && missing.length ? <p class="problem" role="alert">{missing.map((f) => f.label).join(', ')} {missing.length > 1 ? 'are' : 'is'} missing</p> : null}
            <Steps back={() => go('/connections/new')} next="Next" />
        </form>
    );
}

const PasteBox = ({ p }: { p: Paste }): JSX.Element => (
    <div class="paste"><div class="row"><b class="small">{p.title}</b><span class="sp" /><button type="button" onClick={() => void copy(p.text, p.title)}>Copy<span class="away"> {p.title}</span></button></div><pre tabIndex={0}><code>{p.text}</code></pre></div>
);

function Credential({ kind, config, vault, credential, secretKind, secret, onCredential, onKind, onSecret }: {
    kind: Kind; config: Config; vault: Vault; credential: string; secretKind: string; secret: Config;
    onCredential: (id: string) => void; onKind: (k: string) => void; onSecret: (s: Config) => void;
}): JSX.Element {
    const fits = kind.name !== 'azure' ? kind.credentials : config['auth'] === 'application' ? ['oauth_client'] : ['api_key'];
    const kept = vault.credentials.filter((c) => fits.includes(c.kind));
    const at = fits.includes(secretKind) ? secretKind : fits[0] ?? '';
    useEffect(() => {
        if (at !== secretKind) onKind(at);
    }, [at, secretKind]);
    return (
        <fieldset class="stack">
            <legend>Credential</legend>
            {!vault.ready ? <p class="problem">The vault has no master key, so it cannot keep a secret. Who starts Farthing makes one: <code>farthing vault key FILE</code>, then <code>serve --vault-key FILE</code>.</p> : null}
            {kept.length ? <label>Use<select value={credential} onChange={(e) => onCredential(e.currentTarget.value)}><option value="">a new one</option>{kept.map((c) => <option key={c.id} value={c.id}>{c.name}</option>)}</select></label> : null}
            {credential ? null : (
                <>
                    {fits.length > 1 ? <label>Kind<select value={at} onChange={(e) => onKind(e.currentTarget.value)}>{fits.map((f) => <option key={f} value={f}>{vault.kinds.find((k) => k.name === f)?.label ?? f}</option>)}</select></label> : null}
                    {(vault.kinds.find((k) => k.name === at)?.fields ?? []).map((f) => (
                        <label key={f.name}>{f.label}{f.required ? '' : ' (optional)'}
                            {f.lines ? <textarea rows={6} value={secret[f.name] ?? ''} spellcheck={false} autocomplete="off" onInput={(e) => onSecret({ ...secret, [f.name]: e.currentTarget.value })} />
                                : <input type={/secret|password|token|^key$/i.test(f.name) ? 'password' : 'text'} value={secret[f.name] ?? ''} autocomplete="off" onInput={(e) => onSecret({ ...secret, [f.name]: e.currentTarget.value })} />}
                        </label>
                    ))}
                    <p class="small soft">It goes into the vault when the connection is made, and nobody can read it back.</p>
                </>
            )}
        </fieldset>
    );
}

function Test({ given, onBack, onNext }: { given: Record<string, unknown>; onBack: () => void; onNext: () => void }): JSX.Element {
    const [report, setReport] = useState<Report | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    const [round, setRound] = useState(0);
    useEffect(() => {
        const stop = new AbortController();
        setReport(null);
        setError(null);
        call<Report>('POST', '/api/connections/test', given, stop.signal).then(setReport).catch((e: unknown) => e instanceof ApiError && setError(e));
        return () => stop.abort();
    }, [round]);
    return (
        <form class="stack" onSubmit={(e) => { e.preventDefault(); if (report?.ok) onNext(); }}>
            {error ? <p class="problem" role="alert">{error.message}{error.field ? ` (${error.field})` : ''}{error.hint ? `. ${error.hint}` : ''}</p> : null}
            {!report && !error ? <div role="status"><p class="soft">Signing in, listing, looking for bills, reading one</p><Progress value={null} label="Testing" /></div> : null}
            {report ? <div role="status"><ul class="checks">{report.checks.map((c) => (
                <li key={c.what} class={c.ok ? 'good' : 'bad'}><b>{c.ok ? '✓' : '✗'} {c.what}</b><span>{c.message}{c.hint ? <em>{c.hint}</em> : null}</span></li>
            ))}</ul></div> : null}
            {report?.ok ? <p class="small soft">A run would take {count(report.deliveries)} {report.deliveries === 1 ? 'delivery' : 'deliveries'}, {bytes(report.bytes)}.</p> : null}
            {report && report.rows.length ? (
                <div class="tablebox sample" tabIndex={0} role="region" aria-label="Three rows of the newest file">
                    <table class="plain"><caption class="away">Three rows of the newest file</caption>
                        <thead><tr>{report.columns.map((c) => <th scope="col" key={c}>{c}</th>)}</tr></thead>
                        <tbody>{report.rows.map((r, i) => <tr key={i}>{r.map((v, k) => <td key={k} class={v === null ? 'soft clip' : 'clip'} title={v ?? ''}>{v ?? '–'}</td>)}</tr>)}</tbody>
                    </table>
                </div>
            ) : null}
            <div class="row end"><button type="button" class="quiet" onClick={onBack}>Back</button><button type="button" onClick={() => setRound(round + 1)}>Test again</button><button class="primary" disabled={!report?.ok}>Next</button></div>
        </form>
    );
}

function First({ kind, given, jobs, onBack, onMade }: { kind: Kind; given: () => Record<string, unknown>; jobs: Job[]; onBack: () => void; onMade: () => void }): JSX.Element {
    const [name, setName] = useState(PLACES[kind.name]?.title ?? kind.label);
    const [schedule, setSchedule] = useState('15 */6 * * *');
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<ApiError | null>(null);
    const [made, setMade] = useState<{ id: string; job: string } | null>(null);
    const job = jobs.find((j) => j.id === made?.job);
    if (made)
        return (
            <div class="stack">
                {job ? <JobLine j={job} /> : <Progress value={null} label="Starting" />}
                <div class="row end"><button type="button" onClick={() => go('/connections/' + made.id)}>Its runs</button><button type="button" class="primary" onClick={() => go('/megabill')}>To MegaBill</button></div>
            </div>
        );
    return (
        <form class="stack" onSubmit={(e) => {
            e.preventDefault();
            if (busy || !name.trim()) return;
            setBusy(true);
            setError(null);
            call<{ connection: { id: string }; jobId: string }>('POST', '/api/connections', { ...given(), name: name.trim(), schedule, run: true }).then((r) => {
                setMade({ id: r.connection.id, job: r.jobId });
                onMade();
            }).catch((x: unknown) => {
                setBusy(false);
                if (x instanceof ApiError) setError(x);
            });
        }}>
            <label>Name of the source<input type="text" value={name} maxLength={200} onInput={(e) => setName(e.currentTarget.value)} /></label>
            <Schedule value={schedule} onChange={setSchedule} />
            {error ? <p class="problem" role="alert">{error.message}{error.hint ? `. ${error.hint}` : ''}</p> : null}
            <div class="row end"><button type="button" class="quiet" onClick={onBack}>Back</button><button class="primary" disabled={busy || !name.trim()}>Connect and load</button></div>
        </form>
    );
}
