// A receiver of Landfall's webhooks. Run: npm install && WEBHOOK_SECRET=whsec_... node receiver.mjs
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'

const webhook = new Webhook(process.env.WEBHOOK_SECRET)
/** A real receiver keeps them in its database, in one transaction with what the event changes. */
const seen = new Set()

function handle({ type, data }) {
  console.log(`${type} ${data.id} ${data.name}`)
}

const server = createServer(async (request, response) => {
  let event
  try {
    event = webhook.verify(await text(request), request.headers)
  } catch {
    response.writeHead(401).end()
    return
  }
  const id = request.headers['webhook-id']
  if (!seen.has(id)) handle(event)
  seen.add(id)
  response.writeHead(204).end()
})
server.listen(Number(process.env.PORT ?? 8000), '127.0.0.1', () => {
  console.log(`Listening on http://127.0.0.1:${server.address().port}`)
})
