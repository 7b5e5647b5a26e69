import { createHash } from 'node:crypto'
import { TUS } from '../support/tus.ts'
import { type Manner, slowly } from './bodies.ts'
import { type Answer, type Body, BrokenOff, type Client, type Headers } from './client.ts'
import { UploadModel, Violation } from './model.ts'

const PATCH_TYPE = { 'Content-Type': 'application/offset+octet-stream' } as const

/** What a tus client tells a server before it sends bytes. */
export type Creation = 'empty' | 'with bytes' | 'deferred length'

/**
 * Creates an upload; it is unknown to everybody if the answer does not come.
 *
 * @throws NoAnswer, Violation
 */
export async function createTus(
  name: string,
  content: Buffer,
  creation: Creation,
  client: Client,
  manner: Manner,
): Promise<UploadModel> {
  const deferred = creation === 'deferred length'
  const upload = new UploadModel(name, content, deferred ? 'not said' : 'acknowledged')
  const headers = {
    ...TUS,
    ...(deferred ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(content.length) }),
    'Upload-Metadata': `filename ${Buffer.from(name).toString('base64')}`,
  }
  const first = manner.random.chance(0.5) ? content.length : manner.random.whole(0, content.length)
  const answer =
    creation === 'with bytes'
      ? await client.send('POST', '/files', { ...headers, ...PATCH_TYPE }, bodyOf(upload, 0, first, manner))
      : await client.send('POST', '/files', headers)
  if (answer.status !== 201) upload.broken(`was not created: ${told(answer)}`)
  upload.path = new URL(answer.headers.location ?? '', 'http://any').pathname
  noteOffset(upload, answer, creation === 'with bytes' ? first : 0)
  return upload
}

/** Sends what is missing of an upload, in several requests. @throws NoAnswer, Violation */
export async function sendByTus(upload: UploadModel, client: Client, manner: Manner): Promise<void> {
  const { random } = manner
  let offset = await askOffset(upload, client)
  let isUnsettled = false
  while (!upload.finished) {
    const left = upload.content.length - offset
    const length = random.chance(0.3) ? left : Math.min(left, random.size(1, 1024 * 1024))
    const isLast = length === left
    const saysLength = upload.length !== 'acknowledged' && (isLast || random.chance(0.3))
    if (length > 0 && random.chance(0.05)) await sendRefused(upload, offset, length, client, manner)
    const asked = random.chance(0.2) ? askOffset(upload, client) : undefined
    try {
      const taken = await appendByTus(upload, { offset, length, saysLength, isUnsettled }, client, manner)
      if (taken) isUnsettled = false
    } catch (error) {
      if (!(error instanceof BrokenOff)) throw error
      // What was sent may still be on its way to the disk when the next request comes, or the one after that.
      isUnsettled = true
    } finally {
      await asked
    }
    offset = await askOffset(upload, client)
  }
}

interface Append {
  readonly offset: number
  readonly length: number
  readonly saysLength: boolean
  /** Whether the offset may have moved since it was asked for. */
  readonly isUnsettled: boolean
}

/** One PATCH. @returns whether it was taken. @throws NoAnswer, BrokenOff, Violation */
async function appendByTus(
  upload: UploadModel,
  { offset, length, saysLength, isUnsettled }: Append,
  client: Client,
  manner: Manner,
): Promise<boolean> {
  const body = bodyOf(upload, offset, length, manner)
  const breaks = body.end === 'whole' && manner.random.chance(0.1) && body.pieces.length > 1
  const checksum = manner.random.chance(0.25) ? checksumOf(upload, offset, length) : {}
  if (saysLength) upload.length = 'said'
  const answer = await patch(upload, offset, saysLength, client, breaks ? brokenOff(body) : body, checksum)
  if (answer.status === 409 && isUnsettled) return false
  if (answer.status !== 204) upload.broken(`did not take ${length} bytes at ${offset}: ${told(answer)}`)
  if (saysLength) upload.length = 'acknowledged'
  noteOffset(upload, answer, offset + length)
  return true
}

/** A PATCH whose bytes do not have the checksum that it names: none of them counts. @throws NoAnswer, Violation */
async function sendRefused(upload: UploadModel, offset: number, length: number, client: Client, manner: Manner) {
  const other = Buffer.from(upload.content.subarray(offset, offset + length).map((byte) => byte ^ 0xff))
  const body = slowly(other, [], manner, () => undefined)
  const answer = await patch(upload, offset, false, client, body, checksumOf(upload, offset, length))
  // An earlier request may have moved the offset.
  if (![460, 409].includes(answer.status)) upload.broken(`took bytes that have another checksum: ${told(answer)}`)
}

function checksumOf(upload: UploadModel, offset: number, length: number): Headers {
  const digest = createHash('sha1')
    .update(upload.content.subarray(offset, offset + length))
    .digest('base64')
  return { 'Upload-Checksum': `sha1 ${digest}` }
}

/** Sends some bytes into a WebUploader file whose chunks come at the same time. @throws NoAnswer, Violation */
export async function sendPrefixByTus(upload: UploadModel, client: Client, manner: Manner): Promise<void> {
  const offset = await askOffset(upload, client)
  const length = Math.min(upload.content.length - offset, manner.random.size(1, 256 * 1024))
  if (length === 0) return
  const answer = await patch(upload, offset, false, client, bodyOf(upload, offset, length, manner))
  // A chunk may have moved the offset in the meantime.
  if (answer.status === 204) noteOffset(upload, answer, offset + length)
  else if (answer.status !== 409) upload.broken(`did not take bytes by tus: ${told(answer)}`)
}

/** HEAD. @throws NoAnswer, Violation */
export async function askOffset(upload: UploadModel, client: Client): Promise<number> {
  const known = upload.acknowledgedOffset
  const answer = await client.send('HEAD', pathOf(upload), TUS)
  if (answer.status !== 200) upload.broken(`is not there: ${told(answer)}`)
  noteLength(upload, answer)
  return noteOffset(upload, answer, known)
}

/** DELETE. @throws NoAnswer, Violation */
export async function remove(upload: UploadModel, client: Client): Promise<void> {
  upload.removal = 'asked'
  const answer = await client.send('DELETE', pathOf(upload), TUS)
  if (answer.status !== 204) upload.broken(`was not deleted: ${told(answer)}`)
  upload.acknowledgeRemoved()
}

/** GET of the whole finished file or a range of it. @throws NoAnswer, Violation */
export async function download(
  upload: UploadModel,
  client: Client,
  range?: { start: number; end: number },
): Promise<void> {
  const headers = range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }
  const answer = await client.send('GET', pathOf(upload), headers)
  if (answer.status !== (range === undefined ? 200 : 206)) upload.broken(`cannot be downloaded: ${told(answer)}`)
  const { start, end } = range ?? upload.wholeFile
  if (!answer.body.equals(upload.content.subarray(start, end))) upload.broken('is downloaded with other bytes')
}

export function pathOf(upload: UploadModel): string {
  if (upload.path === undefined) throw new Violation(`${upload.name} has no URL yet`)
  return upload.path
}

/** What an answer said, for a message. */
export function told(answer: Answer): string {
  return `${answer.status} ${answer.body.toString('utf8', 0, 300).trim()}`
}

function patch(
  upload: UploadModel,
  offset: number,
  saysLength: boolean,
  client: Client,
  body: Body,
  more: Headers = {},
): Promise<Answer> {
  const headers: Headers = {
    ...TUS,
    ...PATCH_TYPE,
    'Upload-Offset': String(offset),
    ...more,
    ...(saysLength ? { 'Upload-Length': String(upload.content.length) } : {}),
  }
  return client.send('PATCH', pathOf(upload), headers, body)
}

function bodyOf(upload: UploadModel, offset: number, length: number, manner: Manner): Body {
  return slowly(upload.content.subarray(offset, offset + length), [], manner, (start, end) =>
    upload.sending({ start: offset + start, end: offset + end }),
  )
}

function brokenOff(body: Body): Body {
  return { ...body, pieces: body.pieces.slice(0, Math.ceil(body.pieces.length / 2)), end: 'break' }
}

/** @returns the offset that the answer told. */
function noteOffset(upload: UploadModel, answer: Answer, known: number): number {
  const text = answer.headers['upload-offset']
  const offset = typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(offset)) upload.broken(`was told no offset: ${told(answer)}`)
  upload.acknowledgeOffset(offset, known)
  // Nobody is told of the last byte before the file is finished.
  if (offset === upload.content.length && upload.length === 'acknowledged') upload.acknowledgeFinished()
  return offset
}

function noteLength(upload: UploadModel, answer: Answer): void {
  const length = answer.headers['upload-length']
  if (length === undefined) {
    if (upload.length === 'acknowledged') upload.broken('has forgotten its length')
    return
  }
  if (upload.length === 'not said') upload.broken(`has a length of ${length} that nobody said`)
  if (length !== String(upload.content.length)) upload.broken(`has a length of ${length} instead of its own`)
  upload.length = 'acknowledged'
}
