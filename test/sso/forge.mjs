// forge.mjs - an OpenID provider that makes whatever token it is told to, with the faults of the literature.
//   node forge.mjs PORT
// POST /next: how the next answer of the token endpoint is made; GET /counts: how often the keys were fetched. Prints "ready".
import http from "node:http";
import { createHash, createHmac, generateKeyPairSync, sign } from "node:crypto";

const port = +process.argv[2], issuer = `http://127.0.0.1:${port}`;
const make = { rsa: (n = 2048) => generateKeyPairSync("rsa", { modulusLength: n }), ec: () => generateKeyPairSync("ec", { namedCurve: "P-256" }), ed: () => generateKeyPairSync("ed25519") };
const keys = { rsa: make.rsa(), ec: make.ec(), ed: make.ed(), small: make.rsa(1024), other: make.rsa(), late: make.rsa() };
let published = ["rsa", "ec", "ed", "small"];
let next = {}, fetched = 0;

const b64 = (v) => Buffer.from(typeof v === "string" ? v : JSON.stringify(v)).toString("base64url");
const ALG = { rsa: "RS256", small: "RS256", other: "RS256", late: "RS256", ec: "ES256", ed: "EdDSA" };
const signers = {
  RS256: (text, k) => sign("RSA-SHA256", text, k.privateKey),
  RS384: (text, k) => sign("RSA-SHA384", text, k.privateKey),
  ES256: (text, k) => sign("SHA256", text, { key: k.privateKey, dsaEncoding: "ieee-p1363" }),
  EdDSA: (text, k) => sign(null, text, k.privateKey),
};
const hash = (alg, text) => createHash(alg === "EdDSA" ? "sha512" : "sha256").update(text).digest();
const atHash = (alg, text) => { const h = hash(alg, text); return h.subarray(0, h.length / 2).toString("base64url"); };

function token(o, accessToken) {
  const name = o.key ?? "rsa", k = keys[name], now = Math.floor(Date.now() / 1000);
  const alg = o.alg ?? ALG[name];
  const header = { alg, typ: "JWT", kid: o.kid ?? name, ...o.header };
  const claims = { iss: issuer, sub: "s-1", aud: o.client, iat: now, exp: now + 300, nonce: o.nonce, email: "eve@example.com", email_verified: true,
    name: "Eve", groups: ["staff"], at_hash: atHash(ALG[name], accessToken), ...o.claims };
  for (const c of Object.keys(o.relative ?? {})) claims[c] = now + o.relative[c];
  for (const c of o.drop ?? []) delete claims[c];
  if (header.kid === null) delete header.kid;
  if (o.embed) header.jwk = keys.other.publicKey.export({ format: "jwk" });
  const text = `${b64(header)}.${b64(o.raw ?? claims)}`;
  const pem = keys.rsa.publicKey.export({ type: "spki", format: "pem" });
  let s = o.how === "none" ? Buffer.alloc(0) : o.how === "hs-public" ? createHmac("sha256", pem).update(text).digest()
    : o.how === "hs-secret" ? createHmac("sha256", o.secret).update(text).digest() : signers[ALG[o.signKey ?? name] === alg || !signers[alg] ? ALG[o.signKey ?? name] : alg](Buffer.from(text), keys[o.signKey ?? name]);
  if (o.how === "flip") s[7] ^= 1;
  if (o.how === "swap") return `${b64(header)}.${b64({ ...claims, sub: "s-other" })}.${s.toString("base64url")}`;
  if (o.how === "pad") return `${text.slice(0, -4)}==${text.slice(-2)}.${s.toString("base64url")}`;
  if (o.how === "stray") return `${text}.${s.toString("base64url").slice(0, -1)}`;
  return `${text}.${s.toString("base64url")}`;
}

const body = async (req) => { const parts = []; for await (const c of req) parts.push(c); return Buffer.concat(parts).toString(); };
const json = (res, status, v) => { res.writeHead(status, { "content-type": "application/json" }); res.end(JSON.stringify(v)); };

http.createServer(async (req, res) => {
  const path = req.url.split("?")[0];
  if (path === "/.well-known/openid-configuration")
    return json(res, 200, { issuer: next.issuer ?? issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/keys`,
      userinfo_endpoint: `${issuer}/userinfo`, id_token_signing_alg_values_supported: ["RS256", "ES256", "EdDSA"], code_challenge_methods_supported: ["S256"] });
  if (path === "/keys") {
    fetched++;
    return json(res, 200, { keys: published.map((n) => ({ ...keys[n].publicKey.export({ format: "jwk" }), kid: n, use: "sig", alg: ALG[n] })) });
  }
  if (path === "/next") {
    next = JSON.parse(await body(req));
    if (next.publish) published = next.publish;
    return json(res, 200, {});
  }
  if (path === "/counts") return json(res, 200, { fetched });
  if (path === "/logout-token") { const o = JSON.parse(await body(req)); return json(res, 200, { token: token({ drop: ["nonce", "email", "at_hash", "email_verified", "name", "groups", ...(o.drop ?? [])], ...o, drop: ["nonce", "email", "at_hash", "email_verified", "name", "groups", ...(o.drop ?? [])].filter((d) => !(o.keep ?? []).includes(d)) }, "x") }); }
  if (path === "/userinfo") return json(res, 200, next.userinfo ?? { sub: "s-1" });
  if (path === "/token") {
    const form = new URLSearchParams(await body(req));
    const basic = Buffer.from((req.headers.authorization ?? "").replace("Basic ", ""), "base64").toString();
    const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
    if (basic !== `${encodeURIComponent(next.client)}:${encodeURIComponent(next.secret)}` || challenge !== next.challenge || form.get("redirect_uri") !== next.redirect)
      return json(res, 400, { error: "invalid_grant" });
    if (next.answer) return json(res, next.answer.status, next.answer.body);
    return json(res, 200, { token_type: "Bearer", access_token: "at-1", expires_in: 300, id_token: token(next, next.hashOf ?? "at-1") });
  }
  json(res, 404, {});
}).listen(port, "127.0.0.1", () => console.log("ready"));
