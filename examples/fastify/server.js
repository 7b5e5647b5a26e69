import Fastify from 'fastify'
import { createLandfall } from 'landfall'

const landfall = await createLandfall({ dataDir: process.env.DATA_DIR ?? './data', basePath: '/uploads' })

const app = Fastify()

app.register(async (scope) => {
  // Landfall reads the bodies itself.
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, _body, done) => done(null))
  scope.all('/uploads/*', (request, reply) => {
    reply.hijack()
    landfall.handler(request.raw, reply.raw)
  })
})

app.get('/', () => 'Hello from the application.\n')

app.addHook('preClose', landfall.close)
process.once('SIGTERM', () => app.close())

const url = await app.listen({ port: Number(process.env.PORT ?? 3000) })
console.log(`Listening on ${url}`)
