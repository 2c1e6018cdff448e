// stand.mjs - stand-ins for Google, Oracle and AWS STS that check what the real ones check.
//   node stand.mjs google|oracle|sts CONFIG.json     prints "port N" and stays
//
// POST /__ctl takes {"fail":{"status":503,"times":2,"match":"/o","retryAfter":"0"}, "pageSize":2, "objects":{...}, "deny":"..."}.
// GET /__ctl gives the requests seen, without what was secret in them.
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";

const kind = process.argv[2];
const cfg = JSON.parse(fs.readFileSync(process.argv[3], "utf8"));
const state = { fail: null, pageSize: 1000, objects: cfg.objects ?? {}, tables: cfg.tables ?? {}, deny: "", tokens: new Map(), seen: [] };
const md5 = (b) => crypto.createHash("md5").update(b).digest();

const send = (res, status, body, headers = {}) => {
  const data = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  res.writeHead(status, { "Content-Type": "application/json", "Content-Length": data.length, ...headers });
  res.end(data);
};

// A part of an object: Range, If-Match.
const sendObject = (req, res, data, etag) => {
  const match = req.headers["if-match"];
  if (match && match !== `"${etag}"`) return send(res, 412, { code: "IfMatchFailed", message: "no" });
  const range = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? "");
  if (!range) return send(res, 200, data, { ETag: `"${etag}"`, "Content-Type": "application/octet-stream" });
  const from = +range[1], to = range[2] ? Math.min(+range[2], data.length - 1) : data.length - 1;
  if (from >= data.length) return send(res, 416, "");
  return send(res, 206, data.subarray(from, to + 1), { ETag: `"${etag}"`, "Content-Range": `bytes ${from}-${to}/${data.length}`,
    "Content-Type": "application/octet-stream" });
};

const object = (name) => Object.hasOwn(state.objects, name) ? fs.readFileSync(state.objects[name]) : null;
const generation = (name) => String(Math.floor(fs.statSync(state.objects[name]).mtimeMs * 1000));
const page = (names, after) => {
  const at = after ? names.findIndex((n) => n >= after) : 0;
  const from = at < 0 ? names.length : at;
  return [names.slice(from, from + state.pageSize), names[from + state.pageSize] ?? null];
};

// ---- Google ----
const gError = (res, code, message, reason) => send(res, code, { error: { code, message, errors: [{ reason }] } });

function googleToken(req, res, body, self) {
  const form = new URLSearchParams(body), parts = (form.get("assertion") ?? "").split(".");
  if (form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer" || parts.length !== 3) return send(res, 400, { error: "invalid_request" });
  const head = JSON.parse(Buffer.from(parts[0], "base64url")), claims = JSON.parse(Buffer.from(parts[1], "base64url"));
  const good = crypto.verify("RSA-SHA256", Buffer.from(`${parts[0]}.${parts[1]}`), cfg.publicKey, Buffer.from(parts[2], "base64url"));
  const now = Date.now() / 1000;
  if (head.alg !== "RS256" || !good || claims.iss !== cfg.email || claims.aud !== `${self}/token` || claims.iat > now + 60 || claims.exp < now ||
      claims.exp - claims.iat > 3600)
    return send(res, 400, { error: "invalid_grant", error_description: "Invalid JWT Signature." });
  const token = crypto.randomBytes(24).toString("base64url");
  state.tokens.set(token, claims.scope);
  return send(res, 200, { access_token: token, expires_in: 3600, token_type: "Bearer" });
}

const tokenFor = (req, scope) => {
  const t = /^Bearer (.+)$/.exec(req.headers.authorization ?? "");
  return t && state.tokens.get(t[1]) === scope;
};

function googleStorage(req, res, url) {
  if (!tokenFor(req, "https://www.googleapis.com/auth/devstorage.read_only")) return gError(res, 401, "Invalid Credentials", "authError");
  const m = /^\/storage\/v1\/b\/([^/]+)\/o(?:\/(.+))?$/.exec(url.pathname);
  if (!m || m[1] !== "billing-export") return gError(res, 404, "The specified bucket does not exist.", "notFound");
  const verb = m[2] ? "get" : "list";
  if (state.deny === `storage.objects.${verb}`)
    return gError(res, 403, `${cfg.email} does not have storage.objects.${verb} access to the Google Cloud Storage bucket.`, "forbidden");
  if (!m[2]) {
    const prefix = url.searchParams.get("prefix") ?? "", names = Object.keys(state.objects).filter((n) => n.startsWith(prefix)).sort();
    const [some, next] = page(names, url.searchParams.get("pageToken"));
    const items = some.map((n) => ({ name: n, size: String(object(n).length), generation: generation(n), md5Hash: md5(object(n)).toString("base64"),
      updated: fs.statSync(state.objects[n]).mtime.toISOString() }));
    return send(res, 200, { ...(items.length ? { items } : {}), ...(next ? { nextPageToken: next } : {}) });
  }
  const name = decodeURIComponent(m[2]), data = object(name);
  if (!data || url.searchParams.get("alt") !== "media" || url.searchParams.get("generation") !== generation(name)) return gError(res, 404, "No such object", "notFound");
  return sendObject(req, res, data, "g" + generation(name));
}

const results = new Map();
const rowsOf = (sql) => {
  const t = /FROM `([^`]+)`/.exec(sql)[1], since = /export_time > TIMESTAMP\('([^']+)'\)/.exec(sql)[1], upto = /export_time <= TIMESTAMP\('([^']+)'\)/.exec(sql)?.[1];
  const time = (r) => r.export_time.replace(" UTC", "").replace(" ", "T").replace("Z", "");
  return { table: t, rows: Object.hasOwn(state.tables, t) ? fs.readFileSync(state.tables[t], "utf8").trim().split("\n").map((l) => [JSON.parse(l), l])
    .filter(([r]) => time(r) > since.replace("Z", "") && (!upto || time(r) <= upto.replace("Z", ""))).map(([r, l]) => [time(r), l]) : null };
};

function bigquery(req, res, url, body) {
  if (!tokenFor(req, "https://www.googleapis.com/auth/bigquery")) return gError(res, 401, "Invalid Credentials", "authError");
  const m = /^\/bigquery\/v2\/projects\/([^/]+)\/queries(?:\/(.+))?$/.exec(url.pathname);
  if (!m) return gError(res, 404, "no", "notFound");
  if (state.deny === "bigquery.jobs.create")
    return gError(res, 403, `Access Denied: Project ${m[1]}: User does not have bigquery.jobs.create permission in project ${m[1]}.`, "accessDenied");
  if (req.method === "POST") {
    const q = JSON.parse(body), { table, rows } = rowsOf(q.query);
    if (q.useLegacySql !== false) return gError(res, 400, "legacy", "invalid");
    if (!rows) return gError(res, 404, `Not found: Table ${table.replace(".", ":")} was not found in location US`, "notFound");
    const id = "job_" + crypto.randomUUID();
    const max = rows.map(([t]) => t).sort().at(-1);
    results.set(id, q.query.includes("COUNT(*)") ? [{ f: [{ v: max ? `${max.includes(".") ? max : max + ".000000"}Z` : null }, { v: String(rows.length) }] }]
      : rows.map(([, l]) => ({ f: [{ v: l }] })));
    return send(res, 200, { jobReference: { jobId: id, location: "US" }, jobComplete: false });
  }
  const all = results.get(m[2]), at = +(url.searchParams.get("pageToken") ?? 0);
  if (!all || url.searchParams.get("location") !== "US") return gError(res, 404, "Not found: Job", "notFound");
  const next = at + state.pageSize;
  return send(res, 200, { jobReference: { jobId: m[2], location: "US" }, jobComplete: true, totalRows: String(all.length), rows: all.slice(at, next),
    ...(next < all.length ? { pageToken: String(next) } : {}) });
}

// ---- Oracle ----
function oracleSigned(req) {
  const m = /^Signature (.+)$/.exec(req.headers.authorization ?? "");
  if (!m) return false;
  const part = Object.fromEntries([...m[1].matchAll(/(\w+)="([^"]*)"/g)].map((x) => [x[1], x[2]]));
  if (part.version !== "1" || part.algorithm !== "rsa-sha256" || part.keyId !== cfg.keyId) return false;
  const names = part.headers.split(" ");
  if (!["date", "(request-target)", "host"].every((n) => names.includes(n))) return false;
  if (Math.abs(Date.now() - Date.parse(req.headers.date)) > 300e3) return false;
  const text = names.map((n) => n === "(request-target)" ? `(request-target): ${req.method.toLowerCase()} ${req.url}` : `${n}: ${req.headers[n]}`).join("\n");
  return crypto.verify("RSA-SHA256", Buffer.from(text), cfg.publicKey, Buffer.from(part.signature, "base64"));
}

function oracle(req, res, url) {
  if (!oracleSigned(req)) return send(res, 401, { code: "NotAuthenticated", message: "The required information to complete authentication was not provided or was incorrect." });
  const m = new RegExp(`^/n/bling/b/${cfg.tenancy}/o(?:/(.+))?$`).exec(decodeURIComponent(url.pathname).startsWith("/n/bling") ? url.pathname : "");
  if (!m || state.deny) return send(res, 404, { code: "BucketNotFound", message: "Either the bucket does not exist or you are not authorized to access it" });
  if (!m[1]) {
    const prefix = url.searchParams.get("prefix") ?? "", names = Object.keys(state.objects).filter((n) => n.startsWith(prefix)).sort();
    const [some, next] = page(names, url.searchParams.get("start"));
    return send(res, 200, { objects: some.map((n) => ({ name: n, size: object(n).length, etag: "e" + generation(n), md5: md5(object(n)).toString("base64"),
      timeModified: fs.statSync(state.objects[n]).mtime.toISOString() })), ...(next ? { nextStartWith: next } : {}) });
  }
  const name = decodeURIComponent(m[1]), data = object(name);
  return data ? sendObject(req, res, data, "e" + generation(name)) : send(res, 404, { code: "ObjectNotFound", message: "no" });
}

// ---- AWS STS: Signature Version 4 by the book ----
const hmac = (k, t) => crypto.createHmac("sha256", k).update(t).digest();
const sha = (t) => crypto.createHash("sha256").update(t).digest("hex");
const stsError = (res, status, code) => send(res, status, `<ErrorResponse><Error><Code>${code}</Code><Message>m</Message></Error></ErrorResponse>`, { "Content-Type": "text/xml" });

function sts(req, res, url, body) {
  const m = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/sts\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(req.headers.authorization ?? "");
  if (!m || m[1] !== cfg.accessKeyId) return stsError(res, 403, "InvalidClientTokenId");
  const headers = m[4].split(";").map((h) => `${h}:${String(req.headers[h]).trim().replace(/ +/g, " ")}\n`).join("");
  const canonical = [req.method, url.pathname, "", headers, m[4], sha(body)].join("\n");
  const scope = `${m[2]}/${m[3]}/sts/aws4_request`, text = ["AWS4-HMAC-SHA256", req.headers["x-amz-date"], scope, sha(canonical)].join("\n");
  const key = ["sts", "aws4_request"].reduce(hmac, hmac(hmac("AWS4" + cfg.secretAccessKey, m[2]), m[3]));
  if (crypto.createHmac("sha256", key).update(text).digest("hex") !== m[5]) return stsError(res, 403, "SignatureDoesNotMatch");
  const form = new URLSearchParams(body);
  if (form.get("Action") !== "AssumeRole" || form.get("Version") !== "2011-06-15") return stsError(res, 400, "InvalidAction");
  if (form.get("RoleArn") !== cfg.roleArn || form.get("ExternalId") !== cfg.externalId) return stsError(res, 403, "AccessDenied");
  return send(res, 200, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>${cfg.given}</AccessKeyId><SecretAccessKey>${cfg.given}</SecretAccessKey>` +
    `<SessionToken>session/token+1==</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`, { "Content-Type": "text/xml" });
}

const server = http.createServer((req, res) => {
  const chunks = [];
  req.on("data", (d) => chunks.push(d));
  req.on("end", () => {
    const body = Buffer.concat(chunks).toString(), self = `http://127.0.0.1:${server.address().port}`, url = new URL(req.url, self);
    if (url.pathname === "/__ctl") {
      if (req.method === "POST") Object.assign(state, JSON.parse(body));
      return send(res, 200, { seen: state.seen });
    }
    state.seen.push({ method: req.method, path: url.pathname, range: req.headers.range ?? null });
    const f = state.fail;
    if (f && f.times > 0 && req.url.includes(f.match ?? "")) {
      f.times--;
      return send(res, f.status, f.body ?? { error: { code: f.status, message: "told to" } }, f.retryAfter !== undefined ? { "Retry-After": f.retryAfter } : {});
    }
    if (kind === "oracle") return oracle(req, res, url);
    if (kind === "sts") return sts(req, res, url, body);
    if (url.pathname === "/token") return googleToken(req, res, body, self);
    return url.pathname.startsWith("/bigquery/") ? bigquery(req, res, url, body) : googleStorage(req, res, url);
  });
});
server.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
