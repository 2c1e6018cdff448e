/* types.ts - virtual tags as the page's API says them (doc/page-api.md "Virtual tags"). Money is decimal text. */
import type { Filter, KeyRef } from '../lib/types';

export type Kind = 'rules' | 'dictionary' | 'relational' | 'hierarchy';
export const KINDS: [Kind, string, string][] = [
    ['rules', 'Rules', 'Conditions from top to bottom; the first that holds gives the value'],
    ['relational', 'Relational', 'Splits shared cost over several keys at once, by telemetry, and keeps what belongs together'],
    ['dictionary', 'Dictionary', 'A table from one value to another: a catalogue, an export, up to a million rows'],
    ['hierarchy', 'Hierarchy', 'Levels above a value: team, department, vice president'],
];
export const kindLabel = (k: string): string => KINDS.find(([id]) => id === k)?.[1] ?? k;

/** A text, or the value of another key. */
export type To = string | KeyRef;
export interface Timeframe {
    from?: number;
    to?: number;
}
export interface Rule {
    to: To;
    filters: Filter | Record<string, never>;
    timeframe?: Timeframe | null;
    disableRename?: boolean;
}
export type Strategy = 'even' | 'proportional' | 'metric' | 'fixed';
export interface FixedShare {
    key: string;
    value: number;
    from?: string;
    to?: string;
}
export interface AllocationData {
    targets?: string[];
    filters?: Filter | Record<string, never>;
    kpiCenterId?: string;
    metricName?: string;
    field?: string;
    joinField?: string;
    joinKey?: KeyRef;
    carryDays?: number;
    tags?: FixedShare[];
}
export interface Allocation {
    name: string;
    type: Strategy;
    active: boolean;
    description?: string;
    data: AllocationData;
}
export interface RelationOutput {
    id?: string;
    name: string;
    field: string;
}
export interface Relation {
    kpiCenterId: string;
    metricName: string;
    joinField?: string;
    joinKey?: KeyRef;
    scope: Filter | Record<string, never>;
    outputs: RelationOutput[];
}
/** Where the rows of a dictionary come from: sent by hand, a file of the drop folder, an address read daily. */
export interface Feed {
    type: 'upload' | 'file' | 'url';
    file?: string;
    url?: string;
}
export interface TagDocument {
    id?: string;
    name: string;
    kind: Kind;
    category?: string;
    folderId?: string | null;
    defaultValue: To;
    rules: Rule[];
    allocations: Allocation[];
    dictionary?: { source: KeyRef; ignoreCase: boolean; feed?: Feed };
    relation?: Relation;
    hierarchy?: { base: KeyRef; ignoreCase?: boolean; levels: { id?: string; name: string }[] };
    endpoints?: unknown[];
    acl?: Record<string, unknown>;
    predefined?: boolean;
    createdBy?: string;
    updatedBy?: string;
    createdAt?: string;
    updatedAt?: string;
    liveVersion?: string | null;
    stagedVersion?: string | null;
}
export interface TagRow {
    id: string;
    name: string;
    kind: Kind;
    predefined: boolean;
    folderId: string | null;
    category: string;
    ruleCount: number;
    allocationCount: number;
    keys: { id: string; name: string }[];
    dependsOn: string[];
    usedBy: number;
    hasLive: boolean;
    hasStaged: boolean;
    rows?: number;
    error?: string | null;
    createdBy: string;
    createdAt: string;
    updatedBy: string;
    updatedAt: string;
}
export interface Folder {
    id: string;
    name: string;
}
export interface Version {
    id: string;
    createdBy: string;
    createdAt: string;
    isLive: boolean;
    isStaged: boolean;
    changeDescription: string | null;
    document?: TagDocument;
}
export interface Use {
    type: string;
    id: string;
    name: string;
    blocks: boolean;
}
export interface Graph {
    nodes: { id: string; name: string; kind: string; position: string }[];
    edges: { from: string; to: string }[];
    depth: number;
}
export interface Preview {
    range: { from: string; to: string; days: number };
    currency: string;
    total: string;
    values: { value: string; cost: string; share?: string | number; lines: number; liveCost: string | null }[];
    rules: { matched: string; shadowed: string; lines: number; values: number; dead: boolean }[];
    valueCount?: number;
    moveCount?: number;
    unmatched: string;
    moves: { from: string; to: string; cost: string }[];
    sample: ({ rule: number; value: string; cost: string } & Record<string, unknown>)[];
    elapsedMs: number;
}
/** What became of a file of points. */
export interface Intake {
    file: string;
    rows: number;
    rejected: number;
    points: number;
    days: number;
    changedDays: number;
    firstDay: string | null;
    lastDay: string | null;
    unchanged: boolean;
    rejects: string[];
    warnings: string[];
}
export interface Telemetry {
    id: string;
    name: string;
    type: string;
    field: string;
    additionalFields: string[];
    metricNames: string[];
    unit: string;
    isActive: boolean;
    firstDay: string | null;
    lastDay: string | null;
    points: number;
    lastReceivedAt: string | null;
    usedBy: { id: string; name: string }[];
    error: string | null;
    data?: Record<string, unknown>;
    files?: { name: string; receivedAt: string; result: Intake | null }[];
}
export type ValueMetadata = Record<string, { groups?: string[]; customMetadata?: Record<string, string>; endpoints?: unknown[] } | null>;
export interface LineError {
    line: number;
    message: string;
}
