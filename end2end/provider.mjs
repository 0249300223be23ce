// An OpenID provider for the journeys: the certified `oidc-provider` with a sign-in page of its own. Any name is an
// account; a name that begins with "agent" has the role of one. `start.ts` says by variables on which port it listens and
// where it may send people back to. A program of its own, because the package knows ES modules only.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const port = Number(process.env.PROVIDER_PORT);
const origins = JSON.parse(process.env.PROVIDER_ORIGINS);
const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });

const client = (id, provider) => ({
  client_id: id,
  client_secret: "a secret between the two",
  redirect_uris: origins.map((origin) => `${origin}/sign-in/back/${provider}`),
  grant_types: ["authorization_code"],
  response_types: ["code"],
});

const provider = new Provider(`http://localhost:${port}`, {
  clients: [client("shop", "test"), client("desk", "work")],
  jwks: { keys: [{ ...key, use: "sig", kid: "1", alg: "RS256" }] },
  cookies: { keys: [randomBytes(32).toString("hex")] },
  pkce: { required: () => true },
  claims: {
    openid: ["sub", "amr"],
    profile: ["given_name", "family_name", "birthdate", "preferred_username"],
    email: ["email", "email_verified"],
    roles: ["roles"],
  },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  // Nobody is asked whether the shop may know what it asks for.
  async loadExistingGrant(ctx) {
    const { client, session } = ctx.oidc;
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope("openid profile email roles");
    await grant.save();
    return grant;
  },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({
      sub,
      given_name: "Зоя",
      family_name: "Лебедева",
      birthdate: "1992-02-29",
      preferred_username: sub,
      email: `${sub}@example.com`,
      email_verified: true,
      roles: sub.startsWith("agent") ? ["everybody", "kabinet-agent"] : ["everybody"],
    }),
  }),
});

const page = `<!doctype html><html lang="ru"><title>Тест ID</title><h1>Тест ID</h1>
<form method="post"><label>Имя <input name="name" required></label> <button>Войти</button> <button name="no" value="1" formnovalidate>Не сейчас</button></form></html>`;

async function signIn(request, response) {
  if (request.method !== "POST") {
    response.setHeader("content-type", "text/html; charset=utf-8");
    return response.end(page);
  }
  let body = "";
  for await (const chunk of request) body += chunk;
  const sent = new URLSearchParams(body);
  const result = sent.has("no")
    ? { error: "access_denied", error_description: "not now" }
    : { login: { accountId: sent.get("name"), amr: ["pwd", "mfa"], remember: false } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

const answer = provider.callback();
createServer((request, response) => {
  if (!request.url.startsWith("/interaction/")) return answer(request, response);
  return signIn(request, response).catch((error) => {
    response.statusCode = 500;
    response.end(String(error));
  });
}).listen(port, "localhost");
