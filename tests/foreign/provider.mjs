// npm's oidc-provider with one client and everybody for an account: another provider for the SDK. The registration and
// the port are in the environment; "ready" on the standard output says that it listens.
import { createServer } from 'node:http'
import Provider from 'oidc-provider'

const issuer = `http://127.0.0.1:${process.env.PORT}`
const provider = new Provider(issuer, {
  clients: [JSON.parse(process.env.CLIENT)],
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
  features: { backchannelLogout: { enabled: true } },
  // Its own guard (the dispatcher) calls no loopback address, and the test's site has no other.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  cookies: { keys: ['of this test'] },
  // As it comes it asks for PKCE, tells claims at userinfo only, and rotates keys that it makes itself.
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: `${sub} of Node`, preferred_username: sub, email: `${sub}@example.com`, email_verified: true }),
  }),
})
for (const event of ['server_error', 'backchannel.error']) {
  provider.on(event, (...args) => console.error(event, ...args.filter((arg) => arg instanceof Error)))
}
createServer(provider.callback()).listen(Number(process.env.PORT), '127.0.0.1', () => console.log('ready'))
