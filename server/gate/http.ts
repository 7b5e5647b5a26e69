import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Gate, ReceivedFile, Verdict } from '../core/gate.ts'
import { firstLine } from './first-line.ts'
import { sendFile, writeAndWait } from './send-file.ts'

/**
 * A gate that posts each file to a URL, with facts in headers. 200 and 204 mean clean, 422 means rejected; everything
 * else is no verdict, also a redirect.
 */
export class HttpGate implements Gate {
  readonly #url: URL

  constructor(url: URL) {
    this.#url = url
  }

  async inspect(file: ReceivedFile, signal: AbortSignal): Promise<Verdict> {
    const { request: send } = this.#url.protocol === 'https:' ? https : http
    const request = send(this.#url, { method: 'POST', headers: headersOf(file), agent: false, signal })
    const response = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject)
    })
    // Later errors of the connection must not end the process.
    request.on('error', () => undefined)
    let handed = 0
    const write = (bytes: Buffer): Promise<void> => {
      handed += bytes.length
      return writeAndWait(request, bytes)
    }
    const sent = sendFile(file, write).then((outcome) => {
      if (outcome.kind === 'whole') request.end()
      else if (outcome.kind === 'unreadable') request.destroy()
      return outcome.kind === 'whole'
    })
    try {
      const answer = await response
      const sentence = firstLine(answer)
      if (answer.statusCode === 422) return { rejected: (await sentence) || 'status 422' }
      const isClean = answer.statusCode === 200 || answer.statusCode === 204
      if (!isClean) throw new Error(`SCAN_URL answered with status ${answer.statusCode}.`)
      await sentence
      // A scanner that calls a file clean must have received all of it.
      if (handed < file.length || !(await sent)) throw new Error('SCAN_URL answered before it had the whole file.')
      return 'clean'
    } finally {
      request.destroy()
    }
  }
}

function headersOf({ id, name, length, declaredType, owner }: ReceivedFile): Record<string, string> {
  return {
    'Content-Type': 'application/octet-stream',
    'Content-Length': String(length),
    'Upload-Id': id,
    'Upload-Name': encoded(name),
    'Upload-Type': encoded(declaredType ?? ''),
    'Upload-Owner': owner ?? '',
  }
}

/** Percent-encoded UTF-8, also of text that is no Unicode. */
function encoded(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString())
}
