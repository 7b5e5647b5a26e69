// An application with a form. Its page has another origin than the service, which needs:
// ALLOWED_ORIGINS=http://127.0.0.1:3000 landfall
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { text } from 'node:stream/consumers'

const { LANDFALL = 'http://127.0.0.1:1080', PORT = '3000' } = process.env

const html = await readFile(new URL('index.html', import.meta.url), 'utf8')
const page = html.replaceAll('http://127.0.0.1:1080', LANDFALL)

const server = http.createServer(async (request, response) => {
  try {
    if (request.method === 'POST' && request.url === '/applications') await receive(request, response)
    else response.setHeader('Content-Type', 'text/html; charset=utf-8').end(page)
  } catch (error) {
    console.error(error)
    response.writeHead(500).end()
  }
})

async function receive(request, response) {
  const form = new URLSearchParams(await text(request))
  const documents = await Promise.all(form.getAll('documents').map(check))
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  if (documents.includes(undefined)) response.writeHead(422).end('A document is missing.\n')
  else response.end(`Thank you, ${form.get('name')}. Documents, in bytes: ${documents.join(', ')}.\n`)
}

/** A form can have any text: this must be the URL of a finished file of the service. Returns its size. */
async function check(document) {
  if (!URL.canParse(document)) return undefined
  const { href } = new URL(document)
  if (!href.startsWith(`${LANDFALL}/files/`)) return undefined
  const { status, headers } = await fetch(href, { method: 'HEAD' })
  return status === 200 ? Number(headers.get('Content-Length')) : undefined
}

server.listen(PORT, '127.0.0.1', () => {
  console.log(`Listening on http://127.0.0.1:${server.address().port}`)
})

process.once('SIGTERM', () => server.close())
