import { createHash } from 'node:crypto'
import { TUS } from '../support/tus.ts'
import { type Manner, slowly } from './bodies.ts'
import { type Answer, type Body, type Client, type Headers, saysGone } from './client.ts'
import { type Nature, UploadModel, Violation } from './model.ts'

const PATCH_TYPE = { 'Content-Type': 'application/offset+octet-stream' } as const

/** How a tus client creates an upload: `whole` sends a small file with the request, at once. */
export type Creation = 'empty' | 'with bytes' | 'deferred length' | 'whole'

/**
 * Creates an upload; without a response, no client knows it.
 *
 * @throws NoAnswer, Violation
 */
export async function createTus(
  name: string,
  content: Buffer,
  creation: Creation,
  client: Client,
  manner: Manner,
  nature: Nature = { kind: 'tus' },
): Promise<UploadModel> {
  const deferred = creation === 'deferred length'
  const upload = new UploadModel(name, content, deferred ? 'unknown' : 'acknowledged', nature)
  const headers = {
    ...TUS,
    ...(deferred ? { 'Upload-Defer-Length': '1' } : { 'Upload-Length': String(content.length) }),
    ...(nature.kind === 'part' ? { 'Upload-Concat': 'partial' } : {}),
    'Upload-Metadata': `filename ${Buffer.from(name).toString('base64')}`,
  }
  const isWhole = creation === 'whole' || manner.random.chance(0.5)
  const first = isWhole ? content.length : manner.random.whole(0, content.length)
  const hasBytes = creation === 'with bytes' || creation === 'whole'
  const begun = Date.now()
  const answer = hasBytes
    ? await client.send(
        'POST',
        '/files',
        { ...headers, ...PATCH_TYPE },
        creation === 'whole' ? atOnce(upload) : bodyOf(upload, 0, first, manner),
      )
    : await client.send('POST', '/files', headers)
  if (answer.status !== 201) upload.broken(`was not created: ${responseText(answer)}`)
  upload.path = locationIn(answer)
  upload.gotBytesAfter(begun, client.sweeps)
  noteOffset(upload, answer, hasBytes ? first : 0)
  return upload
}

/** The path in the response to a creation. */
export function locationIn(answer: Answer): string {
  return new URL(answer.headers.location ?? '', 'http://any').pathname
}

/** PATCH. @throws NoAnswer, BrokenOff, Over, Violation */
export async function patch(
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
  return orOver(upload, client, await client.send('PATCH', pathOf(upload), headers, body))
}

export function bodyOf(upload: UploadModel, offset: number, length: number, manner: Manner): Body {
  return slowly(upload.content.subarray(offset, offset + length), [], manner, (start, end) =>
    upload.sending({ start: offset + start, end: offset + end }),
  )
}

/** All bytes in one piece, after their length. */
function atOnce(upload: UploadModel): Body {
  const { content, wholeFile } = upload
  const onSend = (): void => upload.sending(wholeFile)
  return { pieces: [{ bytes: content, pause: 0, onSend }], announced: content.length, end: 'whole' }
}

/** The first half of a body, after which its client disconnects. */
export function brokenOff(body: Body): Body {
  return { ...body, pieces: body.pieces.slice(0, Math.ceil(body.pieces.length / 2)), end: 'break' }
}

export function checksumOf(upload: UploadModel, offset: number, length: number): Headers {
  const digest = createHash('sha1')
    .update(upload.content.subarray(offset, offset + length))
    .digest('base64')
  return { 'Upload-Checksum': `sha1 ${digest}` }
}

/** HEAD. @throws NoAnswer, Over, Violation */
export async function askOffset(upload: UploadModel, client: Client): Promise<number> {
  const known = upload.acknowledgedOffset
  const answer = orOver(upload, client, await client.send('HEAD', pathOf(upload), TUS))
  if (answer.status !== 200) upload.broken(`is missing: ${responseText(answer)}`)
  noteLength(upload, answer)
  return noteOffset(upload, answer, known)
}

/** DELETE. @throws NoAnswer, Over, Violation */
export async function remove(upload: UploadModel, client: Client): Promise<void> {
  // The sweep may have removed it first.
  const mayBeGone = upload.removal !== 'none' || upload.mayHaveExpired(client.sweeps)
  upload.removal = 'asked'
  if (upload.final !== undefined && !upload.final.finished) upload.final.failure = 'possible'
  const answer = await client.send('DELETE', pathOf(upload), TUS)
  if (answer.status === 410 && (mayBeGone || upload.mayHaveExpired(client.sweeps))) return
  if (answer.status !== 204) upload.broken(`was not deleted: ${responseText(answer)}`)
  upload.acknowledgeRemoved()
}

/** The response, unless it reports the upload as gone or failed. @throws Over, or Violation if it must not be. */
export function orOver(upload: UploadModel, client: Client, answer: Answer): Answer {
  if (saysGone(answer)) upload.isSaidToBeGone(client.sweeps)
  if (answer.status === 422) upload.isSaidToHaveFailed()
  return answer
}

export function pathOf(upload: UploadModel): string {
  if (upload.path === undefined) throw new Violation(`${upload.name} has no URL yet`)
  return upload.path
}

/** A response as text, for a message. */
export function responseText(answer: Answer): string {
  const code = answer.headers['upload-error'] ?? ''
  return `${answer.status} ${code} ${answer.body.toString('utf8', 0, 300).trim()}`
}

/** @returns the offset in the response. */
export function noteOffset(upload: UploadModel, answer: Answer, known: number): number {
  const text = answer.headers['upload-offset']
  const offset = typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(offset)) upload.broken(`received no offset: ${responseText(answer)}`)
  upload.acknowledgeOffset(offset, known)
  // No client receives the final offset before the file is finished.
  if (offset === upload.content.length && upload.length === 'acknowledged') upload.acknowledgeFinished()
  return offset
}

/** @throws Violation if the response states another length. */
export function noteLength(upload: UploadModel, answer: Answer): void {
  const length = answer.headers['upload-length']
  if (length === undefined) {
    if (upload.length === 'acknowledged') upload.broken('has forgotten its length')
    return
  }
  if (upload.length === 'unknown') upload.broken(`has a length of ${length} that no client stated`)
  if (length !== String(upload.content.length)) upload.broken(`has a length of ${length} instead of its own`)
  upload.length = 'acknowledged'
}
