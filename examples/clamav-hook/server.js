// Receives the hooks of Landfall, and rejects files in which clamd finds malware:
// HOOKS_URL=http://127.0.0.1:8000 HOOKS_EVENTS=pre-finish HOOKS_TIMEOUT=300000 landfall
import { createReadStream } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { json, text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'

/** The path of its socket, or host:port. */
const { CLAMD = '/run/clamav/clamd.ctl', PORT = '8000' } = process.env

const server = http.createServer(async (request, response) => {
  try {
    const { Type, Event } = await json(request)
    const answer = Type === 'pre-finish' ? await decide(Event.Upload.Storage.Path) : {}
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer))
  } catch (error) {
    // Without a decision, the file stays pending, and Landfall asks again.
    console.error(error)
    response.writeHead(503).end()
  }
})

async function decide(file) {
  const verdict = await scan(file)
  if (verdict === 'stream: OK') return {}
  if (!verdict.endsWith(' FOUND')) throw new Error(`clamd answered: ${verdict}`)
  console.log(file, verdict)
  return { RejectUpload: true, HTTPResponse: { StatusCode: 422, Body: 'This file contains malware.\n' } }
}

async function scan(file) {
  const [host, port] = CLAMD.split(':')
  const socket = net.connect(port === undefined ? { path: CLAMD } : { host, port: Number(port) })
  const [verdict] = await Promise.all([text(socket), pipeline(chunks(file), socket, { end: false })])
  return verdict.replace('\0', '')
}

/** The command INSTREAM: chunks with their length before them, and an empty one at the end. */
async function* chunks(file) {
  yield 'zINSTREAM\0'
  for await (const bytes of createReadStream(file)) {
    yield lengthOf(bytes)
    yield bytes
  }
  yield lengthOf('')
}

function lengthOf({ length }) {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(length)
  return header
}

server.listen(PORT, '127.0.0.1', () => {
  console.log(`Listening on http://127.0.0.1:${server.address().port}`)
})

process.once('SIGTERM', () => server.close())
