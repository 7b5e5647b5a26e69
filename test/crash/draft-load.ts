import { createHash } from 'node:crypto'
import type { Manner } from './bodies.ts'
import { type Answer, BrokenOff, type Client, type Headers } from './client.ts'
import { UploadModel } from './model.ts'
import { bodyOf, brokenOff, locationIn, noteLength, noteOffset, orOver, pathOf, responseText } from './tus-requests.ts'

const DRAFT = { 'Upload-Draft-Interop-Version': '8' } as const
const APPEND = { ...DRAFT, 'Content-Type': 'application/partial-upload' } as const

/** Creates an upload whose end will be announced. @throws NoAnswer, Violation */
export async function createByDraft(
  name: string,
  content: Buffer,
  client: Client,
  manner: Manner,
): Promise<UploadModel> {
  const saysLength = manner.random.chance(0.5)
  const upload = new UploadModel(name, content, saysLength ? 'acknowledged' : 'unknown', { kind: 'tus' })
  const headers = {
    ...DRAFT,
    'Upload-Complete': '?0',
    'Content-Disposition': `inline; filename="${name}"`,
    ...(saysLength ? { 'Upload-Length': String(content.length) } : {}),
  }
  // Never all of it: the response acknowledges all arrived bytes, and the end is not announced yet.
  const first = manner.random.whole(0, Math.max(0, content.length - 1))
  const begun = Date.now()
  const answer = await client.send('POST', '/files', headers, bodyOf(upload, 0, first, manner))
  if (answer.status !== 201) upload.broken(`was not created: ${responseText(answer)}`)
  upload.path = locationIn(answer)
  upload.gotBytesAfter(begun, client.sweeps)
  noteProgress(upload, answer, first)
  return upload
}

/**
 * Sends the missing bytes of an upload, whichever client created it, and announces its end.
 *
 * @throws NoAnswer, Over, Violation
 */
export async function sendByDraft(upload: UploadModel, client: Client, manner: Manner): Promise<void> {
  const { random } = manner
  let isUnsettled = false
  for (;;) {
    const { offset, isComplete } = await askByDraft(upload, client)
    if (isComplete) return
    const left = upload.content.length - offset
    const length = random.chance(0.3) ? left : Math.min(left, random.size(1, 1024 * 1024))
    try {
      if (await append(upload, offset, length, isUnsettled, client, manner)) isUnsettled = false
    } catch (error) {
      if (!(error instanceof BrokenOff)) throw error
      // The program may not have begun to read the aborted request when HEAD arrives.
      isUnsettled = true
    }
  }
}

/**
 * PATCH, with `Upload-Complete: ?1` for the last bytes.
 *
 * @returns whether it was accepted.
 * @throws NoAnswer, BrokenOff, Over, Violation
 */
async function append(
  upload: UploadModel,
  offset: number,
  length: number,
  isUnsettled: boolean,
  client: Client,
  manner: Manner,
): Promise<boolean> {
  const isLast = offset + length === upload.content.length
  const body = bodyOf(upload, offset, length, manner)
  const breaks = body.end === 'whole' && manner.random.chance(0.1) && body.pieces.length > 1
  const headers = {
    ...APPEND,
    'Upload-Offset': String(offset),
    'Upload-Complete': isLast ? '?1' : '?0',
    ...(manner.random.chance(0.25) ? digestOf(upload.content.subarray(offset, offset + length)) : {}),
  }
  if (isLast && upload.length !== 'acknowledged') upload.length = 'stated'
  const begun = Date.now()
  const answer = orOver(
    upload,
    client,
    await client.send('PATCH', pathOf(upload), headers, breaks ? brokenOff(body) : body),
  )
  if (answer.status === 409 && isUnsettled) return false
  if (answer.status !== (isLast ? 201 : 204)) {
    upload.broken(`did not accept ${length} bytes at ${offset} by the draft: ${responseText(answer)}`)
  }
  if (isLast) upload.length = 'acknowledged'
  if (length > 0 && !isUnsettled) upload.gotBytesAfter(begun, client.sweeps)
  noteProgress(upload, answer, offset + length)
  return true
}

/** HEAD. @throws NoAnswer, Over, Violation */
async function askByDraft(upload: UploadModel, client: Client): Promise<{ offset: number; isComplete: boolean }> {
  const known = upload.acknowledgedOffset
  const answer = orOver(upload, client, await client.send('HEAD', pathOf(upload), DRAFT))
  if (answer.status !== 204) upload.broken(`is missing for the draft: ${responseText(answer)}`)
  noteLength(upload, answer)
  return noteProgress(upload, answer, known)
}

/** In the draft, an upload is complete when its end is announced, not when all its bytes have arrived. */
function noteProgress(upload: UploadModel, answer: Answer, known: number): { offset: number; isComplete: boolean } {
  const isComplete = answer.headers['upload-complete'] === '?1'
  if (!isComplete && upload.finished) upload.broken('is no longer complete')
  const offset = Number(answer.headers['upload-offset'])
  const isWhole = offset === upload.content.length
  if (isComplete || !isWhole) return { offset: noteOffset(upload, answer, known), isComplete }
  // Until its end is announced, it may expire, like an upload that lacks bytes.
  if (offset < known || offset > upload.sentOffset) upload.broken(`is at offset ${offset}: ${responseText(answer)}`)
  return { offset, isComplete }
}

function digestOf(bytes: Buffer): Headers {
  return { 'Content-Digest': `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:` }
}
