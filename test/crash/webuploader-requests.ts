import { z } from 'zod'
import { BOUNDARY, type ChunkFields, fileFields, multipartBody } from '../support/webuploader.ts'
import { type Manner, slowly } from './bodies.ts'
import type { Answer, Body, Client } from './client.ts'
import { type Cut, chunkRange, UploadModel } from './model.ts'
import { askOffset, responseText } from './tus-requests.ts'

const DELIMITER = `\r\n--${BOUNDARY}`
const CLOSING = `${DELIMITER}--\r\n`

const accepted = z.object({ url: z.string(), received: z.number(), finished: z.boolean() })
const refused = z.object({ error: z.object({ code: z.string() }) })
const incomplete = z.object({ missing: z.array(z.number()), missing_total: z.number() })
const completed = z.object({ url: z.string().optional(), size: z.number() })

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
  return new UploadModel(name, content, 'acknowledged', { kind: 'WebUploader', cut })
}

export function allChunks(cut: Cut): number[] {
  return [...Array(cut.chunks).keys()]
}

/**
 * Requests `/upload/complete`.
 *
 * @returns the missing chunks; none if the file is finished.
 * @throws NoAnswer, Over, Violation
 */
export async function askMissing(upload: UploadModel, cut: Cut, client: Client): Promise<readonly number[]> {
  const known = allChunks(cut).filter((chunk) => upload.isAcknowledged(chunkRange(upload, cut, chunk)))
  const query = new URLSearchParams({ task_id: cut.fields.task_id ?? '', filename: cut.fields.name ?? '' })
  const answer = await client.send('GET', `/upload/complete?${query}`, visitorOf(cut))
  // If this file has expired, the response may mean another file of the same task.
  if (upload.path !== undefined && upload.mayHaveExpired(client.sweeps)) await askOffset(upload, client)
  if (answer.status === 200) {
    const { url, size } = completed.parse(json(answer))
    if ((url !== undefined && url !== upload.path) || size !== upload.content.length)
      upload.broken(`is mistaken for another: ${responseText(answer)}`)
    upload.acknowledgeFinished()
    return []
  }
  // This file no longer has an upload.
  if (answer.status === 404) upload.isSaidToBeGone(client.sweeps)
  if (answer.status !== 409 || upload.finished) upload.broken(`is not complete: ${responseText(answer)}`)
  if (codeOf(answer) === 'chunk_size_changed') upload.isSaidToHaveFailed()
  const { missing, missing_total: missingTotal } = incomplete.parse(json(answer))
  if (missing.length !== missingTotal) upload.broken('has more missing chunks than it names')
  for (const chunk of known) {
    if (missing.includes(chunk)) upload.broken(`has lost chunk ${chunk}, which was acknowledged`)
  }
  for (const chunk of allChunks(cut)) {
    if (missing.includes(chunk)) continue
    if (!upload.isSent(chunkRange(upload, cut, chunk)))
      upload.broken(`counts chunk ${chunk}, which was not completely sent`)
    upload.acknowledge(chunkRange(upload, cut, chunk))
  }
  return missing
}

/** Records that the chunk counts. @param known the acknowledged bytes before the request. @throws Over, Violation */
export function noteAccepted(
  upload: UploadModel,
  cut: Cut,
  chunk: number,
  answer: Answer,
  known: number,
  client: Client,
): void {
  const { url, received, finished } = accepted.parse(json(answer))
  if (upload.path !== undefined && upload.path !== url) {
    // A request with another chunk size got no answer, and made the upload fail: the page continues with this one.
    if (upload.failure !== 'none') {
      upload.nextCut = cut
      upload.isSaidToHaveFailed()
    }
    // Otherwise, only after a removal may a chunk begin another upload.
    if (!upload.mayBeGone(client.sweeps)) upload.broken(`has a second upload: ${url}, for chunk ${chunk}`)
    upload.isSaidToBeGone(client.sweeps)
  }
  upload.path = url
  upload.acknowledge(chunkRange(upload, cut, chunk))
  if (received < known || received > upload.sentBytes) {
    upload.broken(`has ${received} bytes; ${known} were acknowledged, ${upload.sentBytes} sent`)
  }
  if (finished) upload.acknowledgeFinished()
}

/** Half of the pages have a cookie: only they receive the URL from `/upload/complete`. */
function visitorOf({ fields }: Cut): Readonly<Record<string, string>> {
  const hasCookie = (fields.task_id ?? '').length % 2 === 0
  return hasCookie ? { Cookie: `landfall_visitor=${'0123456789abcdef'.repeat(2)}` } : {}
}

/** Why a chunk was refused. */
export function codeOf(answer: Answer): string {
  return refused.parse(json(answer)).error.code
}

/** The request of one chunk: path, type, and body. */
export interface ChunkMessage {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body
}

/** @param onWhole called before the piece is sent that completes the chunk, which must not count earlier. */
export function chunkMessage(
  cut: Cut,
  chunk: number,
  bytes: Buffer,
  manner: Manner,
  onWhole: () => void = () => undefined,
): ChunkMessage {
  const fields: ChunkFields = cut.chunks === 1 ? cut.fields : { ...cut.fields, chunks: cut.chunks, chunk }
  const onSend =
    (whole: number) =>
    (_: number, end: number): void => {
      if (end >= whole) onWhole()
    }
  if (manner.random.chance(0.1)) {
    const query = new URLSearchParams()
    for (const [key, value] of Object.entries(fields)) query.set(key, String(value))
    const body = slowly(bytes, [bytes.length - 1], manner, onSend(bytes.length))
    return { url: `/upload/accept?${query}`, headers: visitorOf(cut), body }
  }
  const body = multipartBody(fields, bytes)
  const dataEnd = body.length - CLOSING.length
  const marks = [dataEnd - bytes.length, dataEnd, dataEnd + DELIMITER.length]
  const headers = { ...visitorOf(cut), 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` }
  const closed = dataEnd + DELIMITER.length + '--'.length
  return { url: '/upload/accept', headers, body: slowly(body, marks, manner, onSend(closed)) }
}

/** @throws NoAnswer, BrokenOff, Over, Violation */
export async function post(upload: UploadModel, { url, headers, body }: ChunkMessage, client: Client): Promise<Answer> {
  const answer = await client.send('POST', url, headers, body)
  if (answer.status === 410) upload.isSaidToBeGone(client.sweeps)
  return answer
}

function json(answer: Answer): unknown {
  return JSON.parse(answer.body.toString('utf8'))
}
