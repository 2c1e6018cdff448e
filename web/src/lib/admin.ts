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
