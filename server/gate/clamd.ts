import { once } from 'node:events'
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import type { Gate, ReceivedFile, Verdict } from '../core/gate.ts'
import { sendFile, writeAndWait } from './send-file.ts'

/** Maximum bytes of a response of clamd. */
const MAX_RESPONSE = 4_096

/**
 * A gate that sends each file to clamd by its command INSTREAM: chunks with their length before them, and an empty one
 * at the end (clamd(8)).
 */
export class ClamdGate implements Gate {
  readonly #address: NetConnectOpts

  constructor(address: NetConnectOpts) {
    this.#address = address
  }

  async inspect(file: ReceivedFile, signal: AbortSignal): Promise<Verdict> {
    signal.throwIfAborted()
    const socket = connect({ ...this.#address, allowHalfOpen: true })
    const abort = (): void => void socket.destroy(asError(signal.reason))
    signal.addEventListener('abort', abort, { once: true })
    try {
      const response = responseOf(socket)
      response.catch(() => undefined)
      const isWhole = await send(socket, file)
      const verdict = verdictOf(await response)
      if (verdict === 'clean' && !isWhole) throw new Error('SCAN_CLAMD answered before it had the whole file.')
      return verdict
    } finally {
      signal.removeEventListener('abort', abort)
      socket.destroy()
    }
  }
}

/** @returns whether clamd was given the whole file. */
async function send(socket: Socket, file: ReceivedFile): Promise<boolean> {
  socket.write('zINSTREAM\0')
  const { kind } = await sendFile(file, async (bytes) => {
    // An empty chunk would be the end.
    if (bytes.length === 0) return
    socket.write(lengthBefore(bytes.length))
    await writeAndWait(socket, bytes)
  })
  if (kind === 'whole') socket.write(lengthBefore(0))
  // clamd would wait for the rest.
  else if (kind === 'unreadable') socket.destroy()
  return kind === 'whole'
}

function lengthBefore(bytes: number): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(bytes)
  return header
}

/** The response, up to its zero byte. @throws Error if the connection ends without one. */
async function responseOf(socket: Socket): Promise<string> {
  let text = ''
  let failure: Error | undefined
  socket.on('error', (error) => {
    failure = error
  })
  socket.on('data', (bytes) => {
    if (text.length < MAX_RESPONSE) text += bytes.toString('utf8')
    if (text.includes('\0')) socket.destroy()
  })
  socket.on('end', () => socket.destroy())
  await once(socket, 'close').catch(() => undefined)
  const end = text.indexOf('\0')
  if (end >= 0) return text.slice(0, end)
  // A failed write closes the socket, perhaps before the response arrives that says why clamd has stopped reading.
  throw new Error(
    'SCAN_CLAMD closed the connection without a verdict, perhaps because the file is larger than its StreamMaxLength.',
    { cause: failure },
  )
}

/** @throws Error when the response is no verdict. */
function verdictOf(response: string): Verdict {
  if (response === 'stream: OK') return 'clean'
  const found = /^stream: (.+) FOUND$/.exec(response)?.[1]
  if (found !== undefined) return { rejected: found }
  if (response.startsWith('INSTREAM size limit exceeded')) {
    throw new Error('The file is larger than StreamMaxLength of clamd. Raise it, and MaxFileSize and MaxScanSize.')
  }
  throw new Error(`SCAN_CLAMD answered: ${response}`)
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('The scan was stopped.')
}
