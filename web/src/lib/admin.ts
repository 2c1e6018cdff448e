/* admin.ts - what the administration routes send and take (doc/page-api.md, Administration). */
import type { Filter } from './types';

export interface User {
    id: string;
    email: string;
    name: string;
    phone: string;
    state: 'invited' | 'active' | 'locked' | 'disabled';
    provider: string;
    roles: string[];
    groups: string[];
    mfa: boolean;
    joinedAt: string | null;
    lastLoginAt: string | null;
    invitedUntil: string | null;
}
export interface RoleInfo {
    id: string;
    name: string;
    description: string;
    default: boolean;
    permissions: string[];
    users: number;
    groups: number;
    tokens: number;
}
export interface Permission {
    key: string;
    area: string;
    description: string;
}
export interface Team {
    id: string;
    name: string;
    description: string;
    isAdmin: boolean;
    dataAccessEnabled: boolean;
    unrestricted: boolean;
    filters: Filter | null;
    roles: string[];
    samlGroups: string[];
    users: string[];
}
export interface Sight {
    currency: string;
    cost: string;
    whole: string;
    rows: number;
    rowsWhole: number;
    from: string;
    to: string;
    services: { value: string; isOthers: boolean; cost: string }[];
}
export interface AuditEvent {
    seq: number;
    at: string;
    actor: string;
    actorKind: string;
    action: string;
    objectType: string;
    objectId: string;
    objectName: string;
    outcome: string;
    severity: string;
    ip: string;
    source: string;
    requestId: string;
    before: unknown;
    after: unknown;
}
export interface Policy {
    minLength: number;
    idleMinutes: number;
    absoluteMinutes: number;
    maxSessions: number;
    mfa: string;
    mfaGraceDays: number;
    rememberDevice: boolean;
    rememberDays: number;
    ipAllow: string[];
    ipBlock: string[];
    emailDomains: string[];
    tokensNever: boolean;
    tokenConcurrent: number;
    inviteHours: number;
    joinRoles: string[];
    ssoOnly: boolean;
    ssoExcept: string[];
}
export interface Me {
    name: string;
    phone: string;
    email: string;
    groups: string[];
    mfa: boolean;
    recoveryCodesLeft: number;
}
export interface SessionInfo {
    id: string;
    agent: string;
    ip: string;
    seenAt: string;
    current: boolean;
}
/* ---- single sign-on ---- */
export interface SsoField {
    name: string;
    label: string;
    hint: string;
    type: 'text' | 'url' | 'bool' | 'lines' | 'words' | 'choice';
    required: boolean;
    standard: string;
    choices: string[];
}
export interface SsoKind {
    name: string;
    label: string;
    secret: string | null;
    fields: SsoField[];
}
export interface RoleMapping {
    group: string;
    roles: string[];
}
export interface SsoConnection {
    id: string;
    kind: string;
    name: string;
    state: 'draft' | 'enabled' | 'disabled';
    config: Record<string, unknown>;
    hasSecret: boolean;
    lastUsedAt: string | null;
    addresses: Record<string, string>;
}
export interface Sso {
    kinds: SsoKind[];
    connections: SsoConnection[];
    waiting: { connection: string; issuer: string; subject: string; userId: string; email: string; name: string; seenAt: string }[];
}
export interface SsoTest {
    ok: boolean;
    checks: { what: string; detail: string }[];
    error: string | null;
    hint: string | null;
}
export interface Outcome {
    error?: string;
    issuer?: string;
    subject?: string;
    email?: string;
    emailVerified?: boolean;
    name?: string;
    groups?: string[];
    roles?: string[];
    would?: string;
}
export interface ScimClients {
    address: string;
    clients: { id: string; name: string; createdBy: string; createdAt: string; lastUsedAt: string | null; oldKeyUntil: string | null }[];
}
export interface Providers {
    only: boolean;
    providers: { id: string; name: string; kind: string }[];
}
export interface Identities {
    identities: { connection: string; name: string; email: string; approved: boolean; seenAt: string }[];
}
