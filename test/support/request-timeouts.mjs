// Preloaded into a program: says at its end which of its servers would have ended requests, however well they run.
import { subscribe } from 'node:diagnostics_channel'

const servers = new Set()
subscribe('http.server.request.start', ({ server }) => servers.add(server))

process.once('SIGTERM', () => {
  for (const { requestTimeout } of servers) if (requestTimeout !== 0) console.error(`requestTimeout: ${requestTimeout}`)
})
