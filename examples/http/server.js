import http from 'node:http'
import { createLandfall } from 'landfall'

const landfall = await createLandfall({ dataDir: process.env.DATA_DIR ?? './data', basePath: '/uploads' })

landfall.events.on('finished', ({ upload }) => {
  console.log(`Received ${upload.size} bytes: ${upload.path}`)
})

const server = http.createServer({ requestTimeout: 0 }, (request, response) => {
  landfall.handler(request, response, () => {
    response.end('Hello from the application.\n')
  })
})

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on http://localhost:${server.address().port}`)
})

process.once('SIGTERM', async () => {
  server.close()
  await landfall.close()
})
