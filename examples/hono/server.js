import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { Hono } from 'hono'
import { createLandfall } from 'landfall'

const landfall = await createLandfall({ dataDir: process.env.DATA_DIR ?? './data', basePath: '/uploads' })

const app = new Hono()
app.all('/uploads/*', (c) => landfall.fetch(c.req.raw, { remoteAddress: getConnInfo(c).remote.address }))
app.get('/', (c) => c.text('Hello from the application.\n'))

const server = serve(
  { fetch: app.fetch, port: Number(process.env.PORT ?? 3000), serverOptions: { requestTimeout: 0 } },
  ({ port }) => console.log(`Listening on http://localhost:${port}`),
)

process.once('SIGTERM', async () => {
  server.close()
  await landfall.close()
})
