// A logout receiver without the SDK: Node 18 or newer, no packages. Run it: PORT=5000 node node_receiver.mjs
import { verify } from 'node:crypto'
import { createServer } from 'node:http'
const { SSO_ISSUER, SSO_CLIENT_ID, SSO_JWKS_URI = `${SSO_ISSUER}/jwks.json`, PORT = 5000 } = process.env
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
export const sessions = new Map() // in place of your own store: cookie -> { sid, sub }, written at sign-in
let keys = new Map(), readAgainAt = 0
async function findKey(kid) { // throws when the centre can't be asked
  if (keys.has(kid) || Date.now() < readAgainAt) return keys.get(kid)
  const { keys: list } = await (await fetch(SSO_JWKS_URI, { signal: AbortSignal.timeout(3000) })).json()
  return ([keys, readAgainAt] = [new Map(list.map((key) => [key.kid, key])), Date.now() + 10_000])[0].get(kid)
}
const parse = (part) => { try { return JSON.parse(Buffer.from(part, 'base64url')) ?? {} } catch { return {} } }
async function isGood([head, body, sig], claims, now = Date.now() / 1000) {
  const { kid, alg, typ } = parse(head), jwk = await findKey(kid), f = { format: 'jwk', dsaEncoding: 'ieee-p1363' }
  if (!jwk || alg !== jwk.alg || typ !== 'logout+jwt' || claims.iss !== SSO_ISSUER || !claims.jti) return false
  if (![claims.aud].flat().includes(SSO_CLIENT_ID) || !(claims.exp > now - 10) || !(claims.iat < now + 10)) return false
  if (!claims.events?.[EVENT] || 'nonce' in claims || !(claims.sid || claims.sub)) return false
  return verify(alg === 'EdDSA' ? null : 'sha256', `${head}.${body}`, { key: jwk, ...f }, Buffer.from(sig, 'base64url'))
}
createServer(async (request, response) => {
  let body = '', answer = (status) => response.writeHead(status, { 'Cache-Control': 'no-store' }).end()
  try {
    for await (const chunk of request) if ((body += chunk).length > 16_384) return answer(413)
    const token = (new URLSearchParams(body).get('logout_token') ?? '').split('.'), claims = parse(token[1])
    if (request.method !== 'POST' || token.length !== 3 || !await isGood(token, claims)) return answer(400)
    for (const [id, s] of sessions) if (claims.sid ? claims.sid === s.sid : claims.sub === s.sub) sessions.delete(id)
    answer(200) // also when there was none: it may be a repeat
  } catch { answer(503) } // our own trouble, not the token's: the centre calls again
}).listen(PORT, '127.0.0.1')
