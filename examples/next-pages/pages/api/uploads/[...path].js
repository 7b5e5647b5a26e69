import { landfall } from '../../../lib/landfall.js'

export const config = { api: { bodyParser: false, externalResolver: true } }

export default async function uploads(request, response) {
  // Next.js has no setting for this, and would end uploads after five minutes.
  request.socket.server.requestTimeout = 0
  const { handler } = await landfall()
  handler(request, response)
}
