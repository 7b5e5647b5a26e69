import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { BOUNDARY, type ChunkFields, fileFields, multipartBody } from '../support/webuploader.ts'
import { type Manner, slowly } from './bodies.ts'
import type { Answer, Client } from './client.ts'
import { type Cut, chunkRange, UploadModel } from './model.ts'
import { sendPrefixByTus, told } from './tus-load.ts'

const DELIMITER = `\r\n--${BOUNDARY}`
const CLOSING = `${DELIMITER}--\r\n`

const accepted = z.object({ url: z.string(), received: z.number(), finished: z.boolean() })
const refused = z.object({ error: z.object({ code: z.string() }) })
const incomplete = z.object({ missing: z.array(z.number()), missing_total: z.number() })
const completed = z.object({ url: z.string(), size: z.number() })

/** A file as a page with this chunk size sends it; without one, in a single block. */
export function webUploaderFile(
  name: string,
  content: Buffer,
  taskId: string,
  chunkSize: number | undefined,
): UploadModel {
  const fields = fileFields(name, content.length, taskId)
  const cut: Cut =
    chunkSize === undefined || content.length <= chunkSize
      ? { fields, chunkSize: content.length, chunks: 1 }
      : { fields, chunkSize, chunks: Math.ceil(content.length / chunkSize) }
  return new UploadModel(name, content, 'acknowledged', cut)
}

/** Sends what is missing of a file, on several connections at once, as a page does. @throws NoAnswer, Violation */
export async function sendByWebUploader(upload: UploadModel, cut: Cut, client: Client, manner: Manner): Promise<void> {
  const { random } = manner
  // A page that was reloaded begins from the start and sends everything again.
  const missing =
    upload.path === undefined || random.chance(0.15) ? allChunks(cut) : await askMissing(upload, cut, client)
  const queue = random.chance(0.6) ? random.shuffled(missing) : [...missing]
  const threads = Array.from({ length: random.whole(1, 6) }, async () => {
    for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) {
      const copies = random.chance(0.15) ? [0, random.whole(0, 5)] : [0]
      await all(copies.map((delay) => sendChunkLater(upload, cut, chunk, delay, client, manner)))
    }
  })
  if (upload.path !== undefined && !upload.finished && random.chance(0.3)) {
    threads.push(sendPrefixByTus(upload, client, manner))
  }
  await all(threads)
  if ((await askMissing(upload, cut, client)).length > 0) upload.broken('is not complete with all its chunks')
}

/** Asks `/upload/complete`. @returns the missing chunks; none if the file is finished. @throws NoAnswer, Violation */
export async function askMissing(upload: UploadModel, cut: Cut, client: Client): Promise<readonly number[]> {
  const known = allChunks(cut).filter((chunk) => upload.isAcknowledged(chunkRange(upload, cut, chunk)))
  const answer = await client.send('GET', `/upload/complete?${query(cut.fields)}`, {})
  if (answer.status === 200) {
    const { url, size } = completed.parse(json(answer))
    if (url !== upload.path || size !== upload.content.length) upload.broken(`is taken for another: ${told(answer)}`)
    upload.acknowledgeFinished()
    return []
  }
  if (answer.status !== 409 || upload.finished) upload.broken(`is not complete: ${told(answer)}`)
  const { missing, missing_total: missingTotal } = incomplete.parse(json(answer))
  if (missing.length !== missingTotal) upload.broken('has more missing chunks than it names')
  for (const chunk of known) {
    if (missing.includes(chunk)) upload.broken(`has lost chunk ${chunk}, which was acknowledged`)
  }
  for (const chunk of allChunks(cut)) {
    if (missing.includes(chunk)) continue
    if (!upload.isSent(chunkRange(upload, cut, chunk)))
      upload.broken(`counts chunk ${chunk}, which was not wholly sent`)
    upload.acknowledge(chunkRange(upload, cut, chunk))
  }
  return missing
}

export function allChunks(cut: Cut): number[] {
  return [...Array(cut.chunks).keys()]
}

function query(fields: ChunkFields): URLSearchParams {
  return new URLSearchParams({ task_id: fields.task_id ?? '', filename: fields.name ?? '' })
}

async function sendChunkLater(
  upload: UploadModel,
  cut: Cut,
  chunk: number,
  delay: number,
  client: Client,
  manner: Manner,
): Promise<void> {
  await pause(delay)
  for (let tries = 0; ; tries++) {
    const known = upload.acknowledgedBytes
    const answer = await sendChunk(upload, cut, chunk, client, manner)
    if (answer.status === 200) return noteAccepted(upload, cut, chunk, answer, known)
    const { code } = refused.parse(json(answer)).error
    if (code !== 'chunk_not_placed' || tries === 3) upload.broken(`did not take chunk ${chunk}: ${told(answer)}`)
  }
}

function noteAccepted(upload: UploadModel, cut: Cut, chunk: number, answer: Answer, known: number): void {
  const { url, received, finished } = accepted.parse(json(answer))
  if (upload.path !== undefined && upload.path !== url) upload.broken(`became another upload, ${url}`)
  upload.path = url
  upload.acknowledge(chunkRange(upload, cut, chunk))
  if (received < known || received > upload.sentBytes) {
    upload.broken(`has ${received} bytes; ${known} were acknowledged, ${upload.sentBytes} sent`)
  }
  if (finished) upload.acknowledgeFinished()
}

function sendChunk(upload: UploadModel, cut: Cut, chunk: number, client: Client, manner: Manner): Promise<Answer> {
  const range = chunkRange(upload, cut, chunk)
  const bytes = upload.content.subarray(range.start, range.end)
  const fields = cut.chunks === 1 ? cut.fields : { ...cut.fields, chunks: cut.chunks, chunk }
  // It counts only as a whole, so nothing may count before the piece that completes it.
  const onSend =
    (whole: number) =>
    (_: number, end: number): void => {
      if (end >= whole) upload.sending(range)
    }
  if (manner.random.chance(0.1)) {
    const query = new URLSearchParams()
    for (const [key, value] of Object.entries(fields)) query.set(key, String(value))
    const url = `/upload/accept?${query}`
    return client.send('POST', url, {}, slowly(bytes, [bytes.length - 1], manner, onSend(bytes.length)))
  }
  const body = multipartBody(fields, bytes)
  const dataEnd = body.length - CLOSING.length
  const marks = [dataEnd - bytes.length, dataEnd, dataEnd + DELIMITER.length]
  const type = { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` }
  const closed = dataEnd + DELIMITER.length + '--'.length
  return client.send('POST', '/upload/accept', type, slowly(body, marks, manner, onSend(closed)))
}

/** Waits for all, then throws what the first that failed threw. */
async function all(works: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(works)
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

function json(answer: Answer): unknown {
  return JSON.parse(answer.body.toString('utf8'))
}
