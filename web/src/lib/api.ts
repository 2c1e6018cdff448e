/*
 * api.ts - the only place that talks to the server.
 *
 * Every answer is JSON or an ApiError with the server's message, hint, field and request id. A lost
 * session is told to the app once; a question already asked is answered from memory until bills change.
 */
import { cell } from './cell';
import type { Answer } from './types';

export class ApiError extends Error {
    constructor(
        readonly status: number,
        message: string,
        readonly hint: string | null,
        readonly field: string | null,
        readonly requestId: string | null,
        readonly retryAfter: number | null,
        readonly code: string | null = null,
        /** All that the server said. */
        readonly body: Record<string, unknown> = {},
    ) {
        super(message);
    }
}

type Lost = () => void;
let onLost: Lost = () => undefined;
export const whenSignedOut = (fn: Lost): void => {
    onLost = fn;
};

const HEADERS = { 'X-Requested-With': 'farthing' };
const str = (v: unknown): string | null => (typeof v === 'string' && v !== '' ? v : null);

async function fail(res: Response): Promise<never> {
    let body: Record<string, unknown> = {};
    try {
        const parsed: unknown = JSON.parse(await res.text());
        if (parsed && typeof parsed === 'object') body = parsed as Record<string, unknown>;
    } catch {
        /* not ours, a proxy's perhaps: the status says enough */
    }
    const retry = Number(res.headers.get('retry-after'));
    throw new ApiError(
        res.status,
        str(body['message']) ?? `the server answered ${res.status}`,
        str(body['hint']),
        str(body['field']),
        str(body['requestId']) ?? res.headers.get('x-request-id'),
        Number.isFinite(retry) && retry > 0 ? retry : null,
        str(body['error']),
        body,
    );
}

async function send(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    const init: RequestInit = { method, headers: { ...HEADERS }, credentials: 'same-origin' };
    if (signal) init.signal = signal;
    if (method !== 'GET') {
        init.headers = { ...HEADERS, 'Content-Type': 'application/json' };
        init.body = body === undefined ? '{}' : JSON.stringify(body);
    }
    return answered(path, init);
}
async function answered(path: string, init: RequestInit): Promise<Response> {
    let res: Response;
    try {
        res = await fetch(path, init);
    } catch (e) {
        if (e instanceof DOMException && e.name === 'AbortError') throw e;
        throw new ApiError(0, 'could not reach the server', 'Check that it runs and that you are online, then try again.', null, null, null);
    }
    if (res.ok) return res;
    if (res.status === 401 && !path.startsWith('/api/session') && path !== '/api/me/password') onLost();
    return fail(res);
}

/** Somebody waits for a proof of who is there: the screen that asks calls it with the outcome. */
export const proofWanted = cell<((ok: boolean) => void) | null>(null);

/** A sensitive act that wants a fresh proof is sent once more after it was given. */
async function sendProved(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    try {
        return await send(method, path, body, signal);
    } catch (e) {
        if (!(e instanceof ApiError) || e.code !== 'PROOF_NEEDED' || proofWanted.get()) throw e;
        const ok = await new Promise<boolean>((resolve) => proofWanted.set(resolve));
        if (!ok) throw e;
        return send(method, path, body, signal);
    }
}

export async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    const res = await sendProved(method, path, body, signal);
    return (res.status === 204 ? undefined : await res.json()) as T;
}
export const get = <T>(path: string, signal?: AbortSignal): Promise<T> => call<T>('GET', path, undefined, signal);

/** Sends a small file as the body: a dictionary, points, entries. */
export async function sendFile<T>(method: string, path: string, file: Blob): Promise<T> {
    const res = await answered(path, { method, headers: { ...HEADERS, 'Content-Type': 'application/octet-stream' }, credentials: 'same-origin', body: file });
    return (res.status === 204 ? undefined : await res.json()) as T;
}
export const asError = (e: unknown): ApiError => (e instanceof ApiError ? e : new ApiError(0, String(e), null, null, null, null));

/* ---- questions: the latest forty answers are kept until bills change ---- */
const answers = new Map<string, Answer>();
const KEPT = 40;
export const forgetAnswers = (): void => answers.clear();
export const knownAnswer = (question: unknown): Answer | undefined => answers.get(JSON.stringify(question));
export async function ask(question: unknown, signal?: AbortSignal): Promise<Answer> {
    const id = JSON.stringify(question);
    const known = answers.get(id);
    if (known) return known;
    const answer = await call<Answer>('POST', '/api/query', question, signal);
    answers.set(id, answer);
    for (const old of answers.keys()) {
        if (answers.size <= KEPT) break;
        answers.delete(old);
    }
    return answer;
}

/** Saves what the server sends as a file under the name it gives. */
export async function download(method: 'GET' | 'POST', path: string, body: unknown, fallback: string): Promise<void> {
    const res = await sendProved(method, path, body);
    const name = /filename="?([^";]+)"?/.exec(res.headers.get('content-disposition') ?? '')?.[1] ?? fallback;
    const url = URL.createObjectURL(await res.blob());
    const a = document.createElement('a');
    a.href = url;
    a.download = name;
    a.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export interface Upload {
    cancel(): void;
    done: Promise<{ jobId: string; loadId?: string }>;
}
/** Sends a file; `progress` hears how many bytes have left. */
export function upload(source: string, file: File, progress: (sent: number) => void): Upload {
    const x = new XMLHttpRequest();
    const done = new Promise<{ jobId: string; loadId?: string }>((resolve, reject) => {
        const error = (message: string, hint: string | null): void => reject(new ApiError(x.status, message, hint, null, null, null));
        x.upload.onprogress = (e): void => progress(e.loaded);
        x.onload = (): void => {
            let body: Record<string, unknown> = {};
            try {
                body = JSON.parse(x.responseText) as Record<string, unknown>;
            } catch {
                /* the status decides */
            }
            if (x.status >= 200 && x.status < 300) resolve(body as { jobId: string });
            else
                reject(
                    new ApiError(x.status, str(body['message']) ?? `the server answered ${x.status}`, str(body['hint']), str(body['field']),
                        str(body['requestId']), null),
                );
        };
        x.onerror = (): void => error('could not send the file', 'The connection ended before the whole file was sent.');
        x.onabort = (): void => error('the upload was cancelled', null);
    });
    x.open('POST', `/api/upload?source=${encodeURIComponent(source)}&name=${encodeURIComponent(file.name)}`);
    x.setRequestHeader('Content-Type', 'application/octet-stream');
    x.setRequestHeader('X-Requested-With', 'farthing');
    x.send(file);
    return { cancel: () => x.abort(), done };
}
