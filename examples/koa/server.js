import { open } from 'node:fs/promises'
import Koa from 'koa'
import { createLandfall, Refusal } from 'landfall'

const landfall = await createLandfall({
  dataDir: process.env.DATA_DIR ?? './data',
  basePath: '/uploads',
  // The client receives this with the response to its last byte.
  beforeFinish: async ({ path }) => {
    const file = await open(path)
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0)
    await file.close()
    if (buffer.toString('latin1') === 'MZ') throw new Refusal('Windows programs are not accepted.')
  },
})

const app = new Koa()
// Before every body parser.
app.use(landfall.koa())

app.use((ctx) => {
  ctx.body = 'Hello from the application.\n'
})

const server = app.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`)
})
server.requestTimeout = 0

process.once('SIGTERM', async () => {
  server.close()
  await landfall.close()
})
