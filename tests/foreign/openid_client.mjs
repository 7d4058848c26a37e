// Stories of a site that is built on npm's openid-client. One per run, named on the command line; the registration is in
// the environment as JSON. What a browser has to do is asked for on the standard output, one JSON text a line, and the
// answer is read from the standard input: {"open": URL} wants the address at which the site is reached again.
import { createInterface } from 'node:readline'
import * as client from 'openid-client'

const site = JSON.parse(process.env.SITE)
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

async function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`)
  return 'done' in message ? undefined : JSON.parse((await lines.next()).value)
}

async function privateKey() {
  const { kid, use, ...jwk } = site.key
  const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
  return { key, kid }
}

async function authentication() {
  if (site.method === 'private_key_jwt') return client.PrivateKeyJwt(await privateKey())
  if (site.method === 'none') return client.None()
  return site.method === 'client_secret_post' ? client.ClientSecretPost(site.secret) : client.ClientSecretBasic(site.secret)
}

async function configuration(metadata = {}) {
  const found = await client.discovery(
    new URL(site.issuer), site.client_id, { id_token_signed_response_alg: site.alg ?? 'RS256', ...metadata },
    await authentication(), { execute: [client.allowInsecureRequests] },
  )
  // Signatures are checked, too, also where the connection to the token endpoint would vouch for them.
  client.enableNonRepudiationChecks(found)
  return found
}

// From a request to the tokens; `how` is {par, jar, dpop, mode}.
async function signIn(config, how = {}, more = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()]
  const parameters = {
    redirect_uri: site.redirect_uri, scope: 'openid profile email', state: expectedState, nonce: expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256', ...more,
  }
  const options = how.dpop ? { DPoP: how.dpop } : {}
  let url
  if (how.par) url = await client.buildAuthorizationUrlWithPAR(config, parameters, options)
  else if (how.jar) url = await client.buildAuthorizationUrlWithJAR(config, parameters, await privateKey())
  else url = client.buildAuthorizationUrl(config, parameters)
  const back = await say({ open: url.href })
  const came = back.body === null ? new URL(back.url) : new Request(back.url, {
    method: 'POST', body: back.body, headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true, ...how.checks }
  return client.authorizationCodeGrant(config, came, checks, undefined, options)
}

async function refusal(promise) {
  try {
    await promise
  } catch (error) {
    return error.error ?? error.cause?.error ?? error.code ?? String(error)
  }
  return 'none'
}

const stories = {
  // Everything that an ordinary site does, to the end-session address.
  async usual() {
    const config = await configuration()
    const tokens = await signIn(config, { mode: site.mode }, site.mode ? { response_mode: site.mode } : {})
    const { sub } = tokens.claims()
    const person = await client.fetchUserInfo(config, tokens.access_token, sub)
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token)
    const again = await client.fetchUserInfo(config, refreshed.access_token, sub)
    const result = { sub, person, again, expires_in: refreshed.expires_in }
    if (site.method !== 'none') {
      result.active = (await client.tokenIntrospection(config, refreshed.access_token)).active
      await client.tokenRevocation(config, refreshed.refresh_token)
      result.revoked = (await client.tokenIntrospection(config, refreshed.access_token)).active
    }
    const end = client.buildEndSessionUrl(config, {
      post_logout_redirect_uri: site.post_logout_redirect_uri, id_token_hint: tokens.id_token, state: 'bye',
    })
    result.ended = (await say({ open: end.href })).url
    result.silent = (await say({ open: client.buildAuthorizationUrl(config, {
      redirect_uri: site.redirect_uri, scope: 'openid', prompt: 'none',
      code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()),
      code_challenge_method: 'S256',
    }).href })).url
    return result
  },

  async claims() {
    const config = await configuration()
    const wish = { id_token: { email: { essential: true }, auth_time: null }, userinfo: { name: null } }
    const tokens = await signIn(config, { checks: { maxAge: 1000 } }, {
      scope: 'openid', claims: JSON.stringify(wish), max_age: '1000', ui_locales: 'zh-CN en', login_hint: 'alice',
    })
    return { claims: tokens.claims(), person: await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub) }
  },

  // FAPI 2.0: pushed, with a key instead of a secret, and bound to another key.
  async fapi() {
    const config = await configuration()
    const dpop = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
    const tokens = await signIn(config, { par: true, dpop })
    const { sub } = tokens.claims()
    const person = await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP: dpop })
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, {}, { DPoP: dpop })
    const bare = await fetch(config.serverMetadata().userinfo_endpoint, {
      headers: { authorization: `Bearer ${refreshed.access_token}` },
    })
    const active = await client.tokenIntrospection(config, refreshed.access_token)
    return { person, type: refreshed.token_type.toLowerCase(), bare: bare.status, jkt: typeof active.cnf?.jkt }
  },

  async dpop() {
    const config = await configuration()
    const dpop = client.getDPoPHandle(config, await client.randomDPoPKeyPair(site.dpop_alg ?? 'ES256'))
    const tokens = await signIn(config, { dpop }, { dpop_jkt: await dpop.calculateThumbprint() })
    const person = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub, { DPoP: dpop })
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, {}, { DPoP: dpop })
    const thief = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
    const stolen = await refusal(client.refreshTokenGrant(config, refreshed.refresh_token, {}, { DPoP: thief }))
    return { person, type: refreshed.token_type.toLowerCase(), stolen }
  },

  async jar() {
    const config = await configuration()
    const tokens = await signIn(config, { jar: true })
    return { sub: tokens.claims().sub }
  },

  async credentials() {
    const config = await configuration()
    const tokens = await client.clientCredentialsGrant(config)
    const found = await client.tokenIntrospection(config, tokens.access_token)
    return { found, members: Object.keys(tokens).sort() }
  },

  async device() {
    const config = await configuration()
    const asked = await client.initiateDeviceAuthorization(config, { scope: 'openid profile' })
    const polling = client.pollDeviceAuthorizationGrant(config, { ...asked, interval: 1 })
    await say({ approve: asked.verification_uri_complete, code: asked.user_code })
    const tokens = await polling
    const person = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
    return { person, asked: Object.keys(asked).sort() }
  },

  // A site's own API calls another one in the person's name (RFC 8693).
  async exchange() {
    const config = await configuration()
    const tokens = await signIn(config)
    const swapped = await client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
      subject_token: tokens.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: site.audience, scope: 'openid',
    })
    const found = await client.tokenIntrospection(config, swapped.access_token)
    return { found, type: swapped.issued_token_type, members: Object.keys(swapped).sort() }
  },

  async registration() {
    const config = await client.dynamicClientRegistration(
      new URL(site.issuer),
      { redirect_uris: [site.redirect_uri], client_name: 'From npm', token_endpoint_auth_method: 'client_secret_post' },
      client.ClientSecretPost(), { initialAccessToken: site.initial_access_token, execute: [client.allowInsecureRequests] },
    )
    const tokens = await signIn(config)
    const { sub } = tokens.claims()
    return { sub, person: await client.fetchUserInfo(config, tokens.access_token, sub), is: config.clientMetadata().client_id }
  },
}

const story = stories[process.argv[2]]
await say({ done: await story() })
process.exit(0)
