// @tus/server with the store of Landfall. `npm install landfall @tus/server tus-js-client`, then `node server.mjs`.
import http from 'node:http'
import { EVENTS, Server } from '@tus/server'
import { LandfallStore } from 'landfall/tus-store'

const datastore = new LandfallStore({ directory: process.env.DATA_DIR ?? './uploads', expiresAfter: 7 * 24 * 3600 })
const tus = new Server({ path: '/files', datastore, locker: datastore.locker, relativeLocation: true })

// The file is in its place, and stays there: upload.storage.path.
tus.on(EVENTS.POST_FINISH, (_request, _response, upload) => console.log(`finished: ${upload.storage.path}`))
setInterval(() => tus.cleanUpExpiredUploads().catch(console.error), 3_600_000).unref()

// By default, Node ends each request after 5 minutes.
const server = http.createServer({ requestTimeout: 0 }, (request, response) => tus.handle(request, response))
server.listen(Number(process.env.PORT ?? 1080), '127.0.0.1', () => {
  console.log(`Listening on http://127.0.0.1:${server.address().port}/files`)
})

process.once('SIGTERM', async () => {
  server.close()
  await datastore.close()
  process.exit(0)
})
