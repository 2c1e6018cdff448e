// provider.mjs - a real OpenID provider (npm oidc-provider) for tests.
//   node provider.mjs PORT STATE.json
// STATE.json: {"client": {...}, "accounts": {"id": {claims}}, "kid": "name of the signing key"}; accounts are read anew each time.
// A test says who signs in by the header x-test-user at the interaction. Prints "ready" and stays.
import fs from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const [port, file] = process.argv.slice(2);
const read = () => JSON.parse(fs.readFileSync(file, "utf8"));
const state = read();
const jwk = (type, options, more) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), use: "sig", ...more });
const key = jwk("rsa", { modulusLength: 2048 }, { kid: state.kid, alg: "RS256" });
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [state.client],
  jwks: { keys: [key] },
  cookies: { keys: ["a secret of this test"] },
  features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
  conformIdTokenClaims: state.userinfo !== false,
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  async findAccount(ctx, id) {
    const claims = read().accounts[id];
    return claims && { accountId: id, claims: () => ({ sub: id, ...claims }) };
  },
  // Whoever signs in has consented.
  async loadExistingGrant(ctx) {
    const grant = new provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope("openid email profile groups");
    await grant.save();
    return grant;
  },
});
provider.proxy = false;
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith("/interaction/")) return next();
  const who = ctx.get("x-test-user");
  await provider.interactionFinished(ctx.req, ctx.res, who ? { login: { accountId: who } } : { error: "access_denied" }, { mergeWithLastSubmission: false });
  ctx.respond = false;
});
provider.on("server_error", (ctx, error) => console.error(error));
provider.listen(+port, "127.0.0.1", () => console.log("ready"));
