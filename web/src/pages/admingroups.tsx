/* admingroups.tsx - groups: members, roles, and the rule that says which rows they see, with what it lets through. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { keys as keyCell, sayError, session as sessionCell, toast, whyNot } from '../app';
import { Builder } from '../bill/filter';
import type { RoleInfo, Sight, Team, User } from '../lib/admin';
import { call, get, type ApiError } from '../lib/api';
import { useCell } from '../lib/cell';
import { dec, money, percent } from '../lib/dec';
import { defaultQuestion, filterText } from '../lib/question';
import type { Filter, Session } from '../lib/types';
import { Empty, Failure, Guarded, Skeleton } from '../parts/basic';
import { Dialog } from '../parts/panel';
import { caught, Problem, Ticks } from './admin';

type SeeKind = 'none' | 'all' | 'rule';
const seeOf = (t: Team | null): SeeKind => (!t ? 'none' : t.isAdmin || (t.dataAccessEnabled && t.unrestricted) ? 'all' : t.dataAccessEnabled && t.filters ? 'rule' : 'none');

export function Groups(): JSX.Element {
    const keys = useCell(keyCell);
    const [on, setOn] = useState(false);
    const [teams, setTeams] = useState<Team[] | null>(null);
    const [users, setUsers] = useState<User[]>([]);
    const [roles, setRoles] = useState<RoleInfo[]>([]);
    const [error, setError] = useState<ApiError | null>(null);
    const [open, setOpen] = useState<Team | 'new' | null>(null);
    const load = (): void => {
        setError(null);
        get<{ dataAccess: boolean; groups: Team[] }>('/api/admin/groups').then((r) => { setTeams(r.groups); setOn(r.dataAccess); }).catch(caught(setError));
    };
    useEffect(() => {
        load();
        get<{ users: User[] }>('/api/admin/users').then((r) => setUsers(r.users)).catch(() => undefined);
        get<{ roles: RoleInfo[] }>('/api/admin/roles').then((r) => setRoles(r.roles)).catch(() => undefined);
    }, []);
    const flip = (): void => {
        call('PUT', '/api/admin/data-access', { enabled: !on }).then(() => {
            toast(on ? 'Everybody sees all rows again' : 'Row rules are on: who is in no group sees nothing');
            load();
        }).catch((e: unknown) => sayError('could not switch', e));
    };
    return (
        <>
            <section class="card pad row wrap">
                <div class="what"><h2>Data access control</h2><p class="soft">{on ? 'On. Everybody sees the rows of his groups, and nothing else.' : 'Off. Everybody whose role may ask for costs sees all rows.'}</p></div>
                <span class="sp" />
                <Guarded why={whyNot('groups.manage')} onClick={flip}>{on ? 'Switch off' : 'Allow data access rules'}</Guarded>
            </section>
            <div class="row wrap bar"><span class="sp" /><Guarded why={whyNot('groups.manage')} class="primary" onClick={() => setOpen('new')}>Create group</Guarded></div>
            <section class="card">
                {error ? <Failure what="The groups could not be fetched" error={error} retry={load} /> : teams === null ? <Skeleton rows={4} label="Fetching groups" /> : teams.length === 0 ? <Empty what="No group yet"><p>A group gives its members roles, and the rows they may see.</p></Empty> : (
                    <div class="tablebox" tabIndex={0} role="region" aria-label="Table of groups">
                        <table class="plain">
                            <caption class="away">Groups</caption>
                            <thead><tr><th scope="col">Name</th><th scope="col">Members</th><th scope="col">Roles</th><th scope="col">Sees</th><th scope="col">SAML groups</th></tr></thead>
                            <tbody>{teams.map((t) => (
                                <tr key={t.id}>
                                    <th scope="row"><button type="button" class="link" onClick={() => setOpen(t)}>{t.name}</button></th>
                                    <td class="num">{t.users.length}</td>
                                    <td>{t.roles.map((r) => roles.find((x) => x.id === r)?.name ?? r).join(', ') || <span class="soft">none</span>}</td>
                                    <td>{seeOf(t) === 'all' ? 'everything' : seeOf(t) === 'rule' ? filterText(t.filters, keys) : <span class="badge failed">grants no data</span>}</td>
                                    <td class="num">{t.samlGroups.length}</td>
                                </tr>
                            ))}</tbody>
                        </table>
                    </div>
                )}
            </section>
            {open ? <EditGroup team={open === 'new' ? null : open} users={users} roles={roles} onClose={() => { setOpen(null); load(); }} /> : null}
        </>
    );
}

function EditGroup({ team, users, roles, onClose }: { team: Team | null; users: User[]; roles: RoleInfo[]; onClose: () => void }): JSX.Element {
    const session = useCell(sessionCell) as Session;
    const keys = useCell(keyCell);
    const [name, setName] = useState(team?.name ?? '');
    const [description, setDescription] = useState(team?.description ?? '');
    const [members, setMembers] = useState<string[]>(team?.users ?? []);
    const [chosen, setChosen] = useState<string[]>(team?.roles ?? []);
    const [saml, setSaml] = useState((team?.samlGroups ?? []).join('\n'));
    const [see, setSee] = useState<SeeKind>(seeOf(team));
    const [rule, setRule] = useState<Filter | null>(team?.filters ?? null);
    const [building, setBuilding] = useState(false);
    const [sight, setSight] = useState<Sight | null>(null);
    const [error, setError] = useState<ApiError | null>(null);
    useEffect(() => {
        setSight(null);
        if (see !== 'rule' || !rule) return undefined;
        const wait = setTimeout(() => call<Sight>('POST', '/api/admin/data-access/preview', { filters: rule }).then(setSight).catch(caught(setError)), 200);
        return () => clearTimeout(wait);
    }, [JSON.stringify(rule), see]);
    const save = async (): Promise<void> => {
        const body: Record<string, unknown> = { name, description, roles: chosen, samlGroups: saml.split('\n').map((s) => s.trim()).filter(Boolean) };
        if (!team?.isAdmin) Object.assign(body, { dataAccessEnabled: see !== 'none', unrestricted: see === 'all', filters: see === 'rule' ? rule : null });
        const saved = await (team ? call<Team>('PUT', `/api/admin/groups/${team.id}`, body) : call<Team>('POST', '/api/admin/groups', body));
        const add = members.filter((m) => !saved.users.includes(m));
        const remove = saved.users.filter((m) => !members.includes(m));
        if (add.length || remove.length) await call('POST', `/api/admin/groups/${saved.id}/users`, { add, remove });
        onClose();
    };
    const remove = (): void => void call('DELETE', `/api/admin/groups/${team?.id}`).then(() => { toast(`Group "${team?.name}" is deleted`); onClose(); }).catch(caught(setError));
    return (
        <Dialog title={team ? team.name : 'Create group'} kind="big" onClose={onClose}>
            <form class="stack" onSubmit={(e) => { e.preventDefault(); if (name) save().catch(caught(setError)); }}>
                <div class="columns wide">
                    <div class="stack">
                        <label>Name<input type="text" value={name} maxLength={100} required autofocus onInput={(e) => setName(e.currentTarget.value)} /></label>
                        <label>Description<input type="text" value={description} maxLength={500} onInput={(e) => setDescription(e.currentTarget.value)} /></label>
                        <Ticks label="Members" all={users.map((u) => ({ id: u.id, name: u.name, hint: u.email }))} chosen={members} onChange={setMembers} />
                        <Ticks label="Roles that members get as well" all={roles.map((r) => ({ id: r.id, name: r.name }))} chosen={chosen} onChange={setChosen} />
                        <label>SAML groups, one a line, exactly as the identity provider names them<textarea rows={2} value={saml} onInput={(e) => setSaml(e.currentTarget.value)} /></label>
                    </div>
                    <div class="stack">
                        <h3>Which rows members see</h3>
                        {team?.isAdmin ? <p class="soft">The Admin Group sees everything.</p> : (
                            <>
                                <span class="seg" role="group" aria-label="Which rows members see">{([['none', 'No rows'], ['rule', 'By a rule'], ['all', 'Everything']] as [SeeKind, string][]).map(([k, label]) => <button type="button" key={k} aria-pressed={see === k} onClick={() => setSee(k)}>{label}</button>)}</span>
                                {see === 'rule' ? (
                                    <>
                                        <p>{rule ? filterText(rule, keys) : <span class="soft">No rule yet: members see nothing.</span>}</p>
                                        <div class="row"><button type="button" onClick={() => setBuilding(true)}>{rule ? 'Change the rule' : 'Build the rule'}</button></div>
                                        <p class="small soft">A row without a value never matches, unless the rule says "does not exist".</p>
                                        {rule ? <div class="catch" aria-live="polite">{sight ? <>
                                            <span class="soft">Lets through, {sight.from} to {sight.to}</span><strong>{money(dec(sight.cost), sight.currency)}</strong>
                                            <span class="soft">{percent(dec(sight.cost), dec(sight.whole)) ?? 'none'} of {money(dec(sight.whole), sight.currency)} · {sight.rows.toLocaleString('en')} of {sight.rowsWhole.toLocaleString('en')} rows</span>
                                            <ul>{sight.services.map((s) => <li key={s.value}><span>{s.isOthers ? 'others' : s.value || 'No value'}</span><span>{money(dec(s.cost), sight.currency)}</span></li>)}</ul>
                                        </> : <div class="bone" />}</div> : null}
                                    </>
                                ) : null}
                            </>
                        )}
                    </div>
                </div>
                <Problem error={error} />
                <div class="row end">
                    {team && !team.isAdmin ? <button type="button" class="danger" onClick={remove}>Delete group</button> : null}
                    <span class="sp" /><button type="button" class="quiet" onClick={onClose}>Cancel</button><button class="primary" disabled={!name}>{team ? 'Save' : 'Create'}</button>
                </div>
            </form>
            {building ? <Builder question={{ ...defaultQuestion(session.account.defaultCostType), filters: rule }} currency={session.account.currency} onClose={() => setBuilding(false)} onApply={(f) => { setBuilding(false); setRule(f); }} /> : null}
        </Dialog>
    );
}
