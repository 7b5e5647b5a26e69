// Minimal Node: each body is piped into a file, and files are piped into responses.
import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'

const [port, folder] = process.argv.slice(2)
const TUS = { 'Tus-Resumable': '1.0.0' }

let count = 0
const server = http.createServer((request, response) => {
  const file = path.join(folder, path.basename(request.url))
  if (request.method === 'POST') create(request, response)
  else if (request.method === 'PATCH')
    save(request, file, (offset) => answer(response, 204, { 'Upload-Offset': offset }))
  else if (request.method === 'HEAD') tellOffset(response, file)
  else send(request, response, file)
})
server.listen(Number(port), '127.0.0.1')

function create(request, response) {
  const name = String(count++)
  const created = (offset) => answer(response, 201, { Location: `/files/${name}`, 'Upload-Offset': offset })
  save(request, path.join(folder, name), created)
}

function save(request, file, saved) {
  const output = createWriteStream(file, { flags: 'a' })
  const offset = Number(request.headers['upload-offset'] ?? 0)
  request.pipe(output).on('finish', () => saved(offset + output.bytesWritten))
}

async function tellOffset(response, file) {
  const { size } = await stat(file)
  answer(response, 200, { 'Upload-Offset': size, 'Cache-Control': 'no-store' })
}

async function send(request, response, file) {
  const found = await stat(file).catch(() => undefined)
  if (!found?.isFile()) return answer(response, 404, {})
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
  const start = range === null ? 0 : Number(range[1])
  const end = range === null ? found.size - 1 : Number(range[2])
  const headers = { 'Content-Length': end - start + 1 }
  if (range === null) response.writeHead(200, headers)
  else response.writeHead(206, { ...headers, 'Content-Range': `bytes ${start}-${end}/${found.size}` })
  createReadStream(file, { start, end }).pipe(response)
}

function answer(response, status, headers) {
  const length = status === 204 ? {} : { 'Content-Length': 0 }
  response.writeHead(status, { ...TUS, ...length, ...headers }).end()
}
