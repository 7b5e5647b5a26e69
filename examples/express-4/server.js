import express from 'express'
import { createLandfall } from 'landfall'

const landfall = await createLandfall({ dataDir: process.env.DATA_DIR ?? './data' })

const app = express()
// Before every body parser.
app.use('/uploads', landfall.handler)
app.use(express.json())

app.get('/', (_request, response) => {
  response.send('Hello from the application.\n')
})

const server = app.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`)
})
server.requestTimeout = 0

process.once('SIGTERM', async () => {
  server.close()
  await landfall.close()
})
