// The least that Node can do: each PATCH is piped into a file.
import { createWriteStream } from 'node:fs'
import http from 'node:http'
import path from 'node:path'

let count = 0
const server = http.createServer((request, response) => {
  if (request.method === 'POST') {
    response.writeHead(201, { Location: `/files/${count++}` }).end()
    return
  }
  const file = path.join(process.argv[2], path.basename(request.url))
  request
    .pipe(createWriteStream(file, { flags: 'a' }))
    .on('finish', () => response.writeHead(204, { 'Tus-Resumable': '1.0.0' }).end())
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
