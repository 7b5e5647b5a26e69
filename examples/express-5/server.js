import express from 'express'
import { createLandfall } from 'landfall'

const users = new Map([['token-of-alice', 'alice']])

const landfall = await createLandfall({
  dataDir: process.env.DATA_DIR ?? './data',
  // `message` is the request of Express, with all that the middleware before has added to it.
  authorize: ({ message }) => (message.user === undefined ? undefined : { subject: message.user }),
})

const app = express()
app.use((request, _response, next) => {
  request.user = users.get(request.get('Authorization')?.replace('Bearer ', ''))
  next()
})
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
