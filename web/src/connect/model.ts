/* model.ts - what the connections' API says, and the text a person pastes at each provider. */
export interface Field {
    name: string;
    label: string;
    hint: string;
    required: boolean;
    choices: string[];
}
export interface Kind {
    name: string;
    label: string;
    costCenter: string;
    credentials: string[];
    credentialRequired: boolean;
    fields: Field[];
}
export type Config = Record<string, string>;
export interface Connection {
    id: string;
    name: string;
    source: string;
    kind: string;
    config: Config;
    credentialId: string | null;
    schedule: string;
    paused: boolean;
    state: 'pending' | 'connected' | 'error' | 'inactive';
    message: string;
    failures: number;
    createdBy: string;
    createdAt: string;
    lastRunAt: string | null;
    lastOkAt: string | null;
    nextRunAt: string | null;
}
export interface Connections {
    vaultReady: boolean;
    externalId: string;
    foldersAllowed: boolean;
    kinds: Kind[];
    connections: Connection[];
}
export interface Run {
    id: string;
    state: string;
    by: string;
    attempts: number;
    rows: number;
    bytes: number;
    createdAt: string;
    startedAt: string | null;
    endedAt: string | null;
    message: string;
}
export interface Runs {
    runs: Run[];
    deliveryCount: number;
    deliveries: { scope: string; version: string; seq: string; files: number; bytes: number; loadId: number; loadedAt: string }[];
}
export interface Report {
    ok: boolean;
    checks: { what: string; ok: boolean; message: string; hint: string }[];
    format: string;
    deliveries: number;
    bytes: number;
    columns: string[];
    rows: (string | null)[][];
}
export interface CredentialKind {
    name: string;
    label: string;
    fields: { name: string; label: string; required: boolean; lines: boolean }[];
}
export interface Vault {
    ready: boolean;
    kinds: CredentialKind[];
    credentials: { id: string; name: string; kind: string }[];
}

export const bytes = (n: number): string => (n >= 1 << 30 ? `${(n / (1 << 30)).toFixed(2)} GB` : n >= 1 << 20 ? `${(n / (1 << 20)).toFixed(1)} MB` : n >= 1024 ? `${(n / 1024).toFixed(0)} KB` : `${n} bytes`);
export const SCHEDULES: [value: string, label: string][] = [['15 */6 * * *', 'Every six hours'], ['@hourly', 'Every hour'], ['@daily', 'Every day'], ['@weekly', 'Every week'], ['', 'Only when asked']];

export interface Paste {
    title: string;
    text: string;
}
interface Place {
    title: string;
    about: (c: Config) => string;
    before: string; // what has to be there
    paste: (c: Config, externalId: string) => Paste[];
}

const trim = (s: string | undefined): string => (s ?? '').replace(/^\/+|\/+$/g, '');
const or = (s: string | undefined, fallback: string): string => s || fallback;

function s3Policy(c: Config): string {
    const bucket = or(c['bucket'], 'BUCKET');
    const prefix = trim(c['prefix']);
    const list = { Sid: 'FarthingLists', Effect: 'Allow', Action: 's3:ListBucket', Resource: `arn:aws:s3:::${bucket}`, ...(prefix ? { Condition: { StringLike: { 's3:prefix': [`${prefix}/*`] } } } : {}) };
    const read = { Sid: 'FarthingReads', Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/${prefix ? prefix + '/' : ''}*` };
    return JSON.stringify({ Version: '2012-10-17', Statement: [list, read] }, null, 2);
}

function trust(externalId: string): string {
    return JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::ACCOUNT:user/farthing' }, Action: 'sts:AssumeRole', Condition: { StringEquals: { 'sts:ExternalId': externalId } } }] }, null, 2);
}

const googleKey = (project: string): string => `gcloud iam service-accounts create farthing --project ${project}
gcloud iam service-accounts keys create farthing.json --iam-account farthing@${project}.iam.gserviceaccount.com`;

export const PLACES: Record<string, Place> = {
    s3: {
        title: 'AWS',
        about: (c) => `Bucket ${c['bucket']}, ${c['region']}, path ${c['prefix'] || '/'}.`,
        before: 'In AWS Billing, make a Data Export (CUR 2.0 or FOCUS) or a Cost and Usage Report: hourly, with resource ids, overwriting, as gzip CSV or Parquet; with split cost allocation data if you run Kubernetes. The bucket, region and path below are those of the export.',
        paste: (c, id) => [
            { title: 'Policy that lets Farthing list and read this path, and nothing else', text: s3Policy(c) },
            ...(c['roleArn'] ? [{ title: 'Trust policy of the role', text: trust(c['externalId'] || id) }] : []),
            { title: 'Commands, with the policy saved as farthing-policy.json', text: `aws iam create-user --user-name farthing\naws iam put-user-policy --user-name farthing --policy-name farthing-bill --policy-document file://farthing-policy.json\naws iam create-access-key --user-name farthing` },
        ],
    },
    azure: {
        title: 'Azure',
        about: (c) => `Account ${c['account']}, container ${c['container']}, directory ${c['prefix'] || '/'}.`,
        before: 'In Cost Management, make a daily month-to-date export (FOCUS, or actual and amortized cost) to a storage container, with file partitioning on. Account, container and directory below are those of the export.',
        paste: (c) => {
            const account = or(c['account'], 'ACCOUNT'), container = or(c['container'], 'CONTAINER');
            if (c['auth'] === 'sas') return [{ title: 'A SAS token that may read and list, for a year', text: `az storage container generate-sas --account-name ${account} --name ${container} --permissions rl --https-only --expiry "$(date -u -d '1 year' +%Y-%m-%dT%H:%MZ)" --output tsv` }];
            if (c['auth'] === 'key') return [{ title: 'The key of the storage account', text: `az storage account keys list --account-name ${account} --query '[0].value' --output tsv` }];
            const scope = `"$(az storage account show --name ${account} --query id --output tsv)/blobServices/default/containers/${container}"`;
            const assign = `az role assignment create --role "Storage Blob Data Reader" --assignee ${c['auth'] === 'identity' ? 'IDENTITY' : 'CLIENT_ID'} --scope ${scope}`;
            return c['auth'] === 'identity' ? [{ title: 'The grant of the machine’s identity', text: assign }]
                : [{ title: 'An application and its secret', text: 'az ad app create --display-name farthing --query appId --output tsv\naz ad sp create --id CLIENT_ID\naz ad app credential reset --id CLIENT_ID --years 1' }, { title: 'Its grant', text: assign }];
        },
    },
    bigquery: {
        title: 'Google Cloud',
        about: (c) => `Table ${c['project']}.${c['dataset']}.${c['table']}.`,
        before: 'In Google Cloud Billing, turn on the detailed usage cost export to BigQuery (the standard one is right, too). Project, dataset and table below are those of the export.',
        paste: (c) => {
            const project = or(c['project'], 'PROJECT'), who = `serviceAccount:farthing@${project}.iam.gserviceaccount.com`;
            return [
                { title: 'A service account and its key', text: googleKey(project) },
                { title: 'Its two grants: to run queries, and to read this dataset', text: `gcloud projects add-iam-policy-binding ${or(c['jobProject'], project)} --member ${who} --role roles/bigquery.jobUser\nbq query --use_legacy_sql=false 'GRANT \`roles/bigquery.dataViewer\` ON SCHEMA \`${project}\`.${or(c['dataset'], 'DATASET')} TO "${who}"'` },
            ];
        },
    },
    gcs: {
        title: 'Google Cloud Storage',
        about: (c) => `Bucket ${c['bucket']}, path ${c['prefix'] || '/'}.`,
        before: 'For bills that lie as files in a bucket: extracts of the BigQuery export, or FOCUS files.',
        paste: (c) => [{ title: 'A service account and its key', text: googleKey('PROJECT') }, { title: 'Its grant on the bucket', text: `gcloud storage buckets add-iam-policy-binding gs://${or(c['bucket'], 'BUCKET')} --member serviceAccount:farthing@PROJECT.iam.gserviceaccount.com --role roles/storage.objectViewer` }],
    },
    oracle: {
        title: 'Oracle Cloud',
        about: (c) => `${c['prefix']}, region ${c['region']}.`,
        before: 'Oracle writes cost reports by itself, every six hours, into a bucket of its own. Make a group and a user for Farthing in an identity domain, and add an API key to the user. Use the FOCUS reports or the cost reports, never both.',
        paste: () => [{ title: 'Policy, in the root compartment of the tenancy', text: 'define tenancy usage-report as ocid1.tenancy.oc1..aaaaaaaaned4fkpkisbwjlr56u7cj63lf3wffbilvqknstgtvzub7vhqkggq\nendorse group farthing to read objects in tenancy usage-report' }],
    },
    's3-compatible': {
        title: 'S3-compatible',
        about: (c) => `${c['endpoint']}, bucket ${c['bucket']}, path ${c['prefix'] || '/'}.`,
        before: 'For MinIO, Ceph, Garage, R2 and whatever speaks S3. An endpoint inside your network has to be allowed by who starts Farthing.',
        paste: (c) => [{ title: 'Policy that lets Farthing list and read this path', text: s3Policy(c) }, { title: 'For an endpoint that is not public', text: `farthing serve --allow-host ${(c['endpoint'] ?? '').replace(/^https?:\/\//, '').replace(/\/.*$/, '') || 'HOST:PORT'}` }],
    },
    folder: {
        title: 'Folder',
        about: (c) => `${c['path']}.`,
        before: 'For bills that something else writes to the server’s disk. A folder can be watched only inside those the operator allowed.',
        paste: (c) => [{ title: 'What the server is started with', text: `farthing serve --watch-folders ${or(c['path'], '/srv/bills')}` }],
    },
};
