/* types.ts - what the page's API says and hears (doc/page-api.md). Money is decimal text. */
export interface KeyRef {
    costCenter: string;
    key: string;
    type: string;
}
export interface KeyInfo extends KeyRef {
    displayName: string;
    path: string;
}
export interface Drilldown {
    costCenter: string;
    keys: KeyRef[];
    isDefault: boolean;
}
export interface Leaf extends KeyRef {
    operator: string;
    value?: string | string[];
}
export interface And {
    AND: Filter[];
}
export interface Or {
    OR: Filter[];
}
export type Filter = Leaf | And | Or;

export type DateSpec = { relativeRange: string; type?: string } | { from: string; to: string };
export type Granularity = 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'accumulated';
export interface Question {
    date: DateSpec;
    costType: string;
    granularity: Granularity;
    groupBy: KeyRef[];
    filters: Filter | null;
    previous: boolean;
    top: number;
    others: boolean;
    /** Also what of each group is its own and what was reallocated to it. */
    shared: boolean;
    /** A code, 'original' for each amount in its own, or empty: the account's. */
    currency: string;
}
export type ChartKind = 'bar' | 'area' | 'line' | 'pie' | 'treemap';
export interface ChartState {
    kind: ChartKind;
    sort: string;
    hidden: string[];
    pivot: boolean;
}
export interface Period {
    from: string;
    to: string;
    days: number;
}
export interface Group {
    values: string[];
    total: string;
    previous: string | null;
    cells: string[];
    isOthers: boolean;
    others: number;
    direct?: string;
    shared?: string;
    /** When groups differ in it. */
    currency?: string;
    /** Of total: what previous is held against, when that is not all of it. */
    compared?: string;
}
export interface Answer {
    question: unknown;
    range: Period;
    previous: Period | null;
    /** Days that previous is held against, when those after them are incomplete. */
    compared?: Period;
    /** Every source that still delivers is known up to this day. */
    completeTo: string | null;
    /** The source that the others wait for. */
    behind: string | null;
    /** Empty when groups differ in it: then there is no total. */
    currency: string;
    /** Currencies of bills that were converted into it. */
    converted: string[];
    buckets: string[];
    groups: Group[];
    total: { total: string | null; previous: string | null; cells: (string | null)[]; direct?: string; shared?: string; compared?: string | null };
    groupCount: number;
    rows: number;
    knownTo: string | null;
    unfiltered: string | null;
    elapsedMs: number;
}
export interface Session {
    user: { id: string; email: string; name: string; role: string; roles: string[] };
    allRows: boolean;
    viewingAs: boolean;
    mfa: boolean;
    mfaWanted: boolean;
    mfaBy: string | null;
    account: { id: string; name: string; currency: string; defaultCostType: string; costTypes: string[]; edp: boolean; first: boolean };
    accounts: { id: string; name: string; first: boolean }[];
    permissions: string[];
    today: string;
    knownTo: string | null;
    /** Every source that still delivers is known up to this day. */
    completeTo: string | null;
    firstDay: string | null;
    sources: number;
    version: string;
}
export interface SavedView {
    id: string;
    name: string;
    createdBy: string;
    createdAt: string;
    updatedAt: string;
    question: Partial<Question>;
    chart?: Partial<ChartState> | null;
}
export interface Source {
    id: string;
    name: string;
    createdAt: string;
    loads: number;
    lastLoadAt: string | null;
    firstDay: string | null;
    lastDay: string | null;
    rows: number;
}
export interface Load {
    id: string;
    source: string;
    format: string | null;
    state: 'running' | 'live' | 'replaced' | 'failed' | 'cancelled' | 'unchanged';
    error: string | null;
    files: { name: string; bytes: number; rows: number }[];
    rows: number;
    rejected: number;
    startedAt: string;
    finishedAt: string | null;
    periods: string[];
    live: boolean;
    hasRejects: boolean;
}
export interface LoadTotals {
    currency: string;
    column: string;
    values: number;
    file: string | null;
    archive: string | null;
    ledger: string | null;
    equal: boolean;
}
export interface LoadDetail extends Load {
    totals: LoadTotals[];
    days: { day: string; rows: number; currency: string; BilledCost: string; EffectiveCost: string }[];
    notices: string[];
}
export interface Job {
    connectionId?: string | null;
    id: string;
    kind: string;
    source: string;
    file: string;
    state: 'running' | 'done' | 'failed' | 'cancelled';
    phase: string;
    rows: number;
    bytes: number;
    bytesTotal: number;
    fraction: number;
    rowsPerSecond: number;
    leftMs: number | null;
    loadId: string | null;
    message: string | null;
}
export interface Token {
    id: string;
    clientId: string;
    description: string;
    role: string;
    createdBy: string;
    createdAt: string;
    expiresAt: string | null;
    revokedAt: string | null;
    lastUsedAt: string | null;
    state: 'active' | 'expired' | 'revoked';
}
export interface Role {
    key: string;
    name: string;
    description: string;
}
export interface ValueCost {
    value: string;
    cost: string | null;
}
