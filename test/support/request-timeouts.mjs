// Preloaded into a program: says whose requests its server would end, however well they run.
import { subscribe } from 'node:diagnostics_channel'

subscribe('http.server.response.finish', ({ request, server }) => {
  if (server.requestTimeout !== 0) console.error(`requestTimeout of ${request.url}: ${server.requestTimeout}`)
})
