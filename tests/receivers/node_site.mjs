// A site around docs/receivers/node_receiver.mjs: local sessions can be opened and counted from outside.
import { createServer } from 'node:http'
import { pathToFileURL } from 'node:url'

const { sessions } = await import(pathToFileURL(process.env.RECEIVER))
createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  if (body) for (const [cookie, session] of Object.entries(JSON.parse(body))) sessions.set(cookie, session)
  response.end(JSON.stringify(Object.fromEntries(sessions)))
}).listen(process.env.SITE_PORT, '127.0.0.1')
