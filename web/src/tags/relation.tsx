/* relation.tsx - a relational tag: which cost, which telemetry, joined how, and the keys it exposes. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { FilterTree } from '../bill/filter';
import { ApiError } from '../lib/api';
import { filterText } from '../lib/question';
import type { KeyInfo, Question } from '../lib/types';
import { Icon } from '../parts/basic';
import { filterOf, type Draft } from './draft';
import { MetricEditor } from './metric';
import { fieldsOf, useTelemetry } from './telemetry';
import type { Relation } from './types';

export function RelationEditor({ draft, keys, question, currency, readOnly, onChange }: { draft: Draft; keys: KeyInfo[] | null; question: Question; currency: string; readOnly: boolean; onChange: (part: Partial<Draft>) => void }): JSX.Element {
    const telemetry = useTelemetry();
    const r: Relation = draft.relation ?? { kpiCenterId: '', metricName: '', scope: {}, outputs: [] };
    const put = (part: Partial<Relation>): void => onChange({ relation: { ...r, ...part } });
    const scope = filterOf(r.scope);
    const [narrow, setNarrow] = useState(scope !== null);
    const t = Array.isArray(telemetry) ? telemetry.find((x) => x.id === r.kpiCenterId) : undefined;
    const fields = fieldsOf(t).filter((f) => f !== r.joinField);
    const free = fields.filter((f) => !r.outputs.some((o) => o.field === f));
    if (readOnly)
        return <section class="card pad" aria-label="Relation"><dl><dt>Only</dt><dd>{filterText(scope, keys)}</dd><dt>Telemetry</dt><dd>{t?.name ?? r.kpiCenterId}, {r.metricName}</dd><dt>Keys</dt><dd>{r.outputs.map((o) => `${o.name} (${o.field})`).join(', ')}</dd></dl></section>;
    return (
        <section class="card pad stack" aria-labelledby="relation">
            <h2 id="relation">The relation</h2>
            <p class="small soft">Each line in scope is split by the telemetry's rows of its day. A part keeps all its keys, so team and service of one row stay together.</p>
            <div><h3>Which cost is split</h3>
                {narrow ? <><FilterTree start={scope} question={question} currency={currency} onChange={(f) => put({ scope: f ?? {} })} /><button type="button" class="link" onClick={() => { setNarrow(false); put({ scope: {} }); }}>Split every line</button></>
                    : <p class="small">Every line. <button type="button" class="link" onClick={() => setNarrow(true)}>Only some</button></p>}
            </div>
            <div><h3>By what</h3><MetricEditor m={r} all={telemetry} keys={keys} withField={false} withCarry={false} onChange={(m) => put({ ...m, ...(m.kpiCenterId !== undefined ? { outputs: [] } : {}) } as Partial<Relation>)} /></div>
            {t ? (
                <div><h3>Keys it exposes</h3>
                    {telemetry instanceof ApiError ? null : fields.length === 0 ? <p class="small up">This telemetry has no field beside the join field.</p> : null}
                    <ul class="stack tightstack">
                        {r.outputs.map((o, i) => (
                            <li class="row" key={o.field}>
                                <select aria-label={`Field of output ${i + 1}`} value={o.field} onChange={(e) => put({ outputs: r.outputs.map((x, n) => (n === i ? { ...x, field: e.currentTarget.value } : x)) })}>{[o.field, ...free].map((f) => <option key={f} value={f}>{f}</option>)}</select>
                                <span class="soft">is called</span>
                                <input type="text" aria-label={`Name of output ${i + 1}`} value={o.name} maxLength={200} onInput={(e) => put({ outputs: r.outputs.map((x, n) => (n === i ? { ...x, name: e.currentTarget.value } : x)) })} />
                                <button type="button" class="bare square" aria-label={`Take the output ${o.name || o.field} away`} onClick={() => put({ outputs: r.outputs.filter((_, n) => n !== i) })}><Icon name="close" size={14} /></button>
                            </li>
                        ))}
                    </ul>
                    {free.length ? <p><button type="button" onClick={() => { const f = free[0] as string; put({ outputs: [...r.outputs, { field: f, name: f.charAt(0).toUpperCase() + f.slice(1) }] }); }}>+ Add a key</button></p> : null}
                </div>
            ) : null}
        </section>
    );
}
