// oidc-provider as somebody would run it who wants it quick: a process for each of two cores, records in Redis, clients
// that need no consent page, opaque access tokens, passwords in argon2id. PEER_SETTINGS names the file that says the rest.
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createPrivateKey } from 'node:crypto';

const settings = JSON.parse(readFileSync(process.env.PEER_SETTINGS, 'utf8'));

if (cluster.isPrimary) {
  for (let count = 0; count < settings.workers; count += 1) cluster.fork();
  process.once('SIGTERM', () => process.exit(0)); // the workers go with their channel
} else {
  await work();
}

async function work() {
  const { Provider } = await import('oidc-provider');
  const { verify } = await import('@node-rs/argon2');
  const { recordsIn } = await import('./records.mjs');

  const key = createPrivateKey(readFileSync(settings.key_file)).export({ format: 'jwk' });
  const provider = new Provider(settings.issuer, {
    adapter: recordsIn(settings.redis),
    jwks: { keys: [{ ...key, kid: 'peer', use: 'sig', alg: settings.alg }] },
    clients: settings.clients.map(asClient),
    cookies: { keys: ['a-key-for-the-cookies-of-a-measurement'] },
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
    features: {
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      revocation: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    ttl: {
      AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, IdToken: 3600, Interaction: 3600, RefreshToken: 86400, Session: 86400,
    },
    interactions: { url: (_ctx, interaction) => `/people/${interaction.uid}` },
    findAccount: (_ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, name: id, email: `${id}@example.com`, email_verified: true }),
    }),
    loadExistingGrant: grantWithoutAsking,
    // Its own guards against loopback addresses; the same limit of 2.5 s that it has.
    fetch: (url, { dispatcher: _refusing, ...options }) => fetch(url, { ...options, signal: AbortSignal.timeout(2500) }),
  });
  provider.on('server_error', (_ctx, error) => console.error(error));

  const answer = provider.callback();
  const people = new Map(settings.people.map((person) => [person.name, person.hash]));

  createServer(async (request, response) => {
    if (!request.url.startsWith('/people/')) return answer(request, response);
    try {
      return await signIn(request, response);
    } catch (error) {
      console.error(error);
      response.statusCode = 500;
      return response.end();
    }
  }).listen(settings.port, '127.0.0.1');

  async function signIn(request, response) {
    await provider.interactionDetails(request, response);
    if (request.method === 'GET') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      return response.end(
        '<!doctype html><title>Sign in</title><form method="post"><input name="username"><input name="password" type="password"><button>Sign in</button></form>',
      );
    }
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const typed = new URLSearchParams(Buffer.concat(chunks).toString());
    const hash = people.get(typed.get('username'));
    if (!hash || !(await verify(hash, typed.get('password') ?? ''))) {
      response.statusCode = 403;
      return response.end();
    }
    return provider.interactionFinished(request, response, { login: { accountId: typed.get('username') } });
  }
}

function asClient({ id, secret, redirect_uri, logout_uri, refreshes }) {
  return {
    client_id: id,
    client_secret: secret,
    redirect_uris: [redirect_uri],
    response_types: ['code'],
    grant_types: refreshes ? ['authorization_code', 'refresh_token'] : ['authorization_code'],
    token_endpoint_auth_method: 'client_secret_post',
    id_token_signed_response_alg: settings.alg,
    ...(logout_uri && { backchannel_logout_uri: logout_uri, backchannel_logout_session_required: true }),
  };
}

// First-party clients: what they ask for is granted, once for each session.
async function grantWithoutAsking(ctx) {
  const { client, provider, result, session } = ctx.oidc;
  const known = result?.consent?.grantId ?? session.grantIdFor(client.clientId);
  const grant = known && (await provider.Grant.find(known));
  if (grant) return grant;
  const fresh = new provider.Grant({ accountId: session.accountId, clientId: client.clientId });
  fresh.addOIDCScope('openid profile email offline_access');
  await fresh.save();
  return fresh;
}
