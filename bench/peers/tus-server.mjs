// Plain @tus/server with @tus/file-store, as its README sets it up.
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const tus = new Server({ path: '/files', datastore: new FileStore({ directory: process.argv[2] }) })
const server = tus.listen({ host: '127.0.0.1', port: 0 }, () => {
  console.log(`http://127.0.0.1:${server.address().port}`)
})
