import { inverted } from '../support/bytes.ts'
import type { Manner } from './bodies.ts'
import { slowly } from './bodies.ts'
import { BrokenOff, type Client } from './client.ts'
import type { UploadModel } from './model.ts'
import { askOffset, bodyOf, brokenOff, checksumOf, noteOffset, patch, responseText } from './tus-requests.ts'

/** Sends the missing bytes of an upload, in several requests. @throws NoAnswer, Over, Violation */
export async function sendByTus(upload: UploadModel, client: Client, manner: Manner): Promise<void> {
  const { random } = manner
  let offset = await askOffset(upload, client)
  let isUnsettled = false
  while (!upload.everythingAcknowledged) {
    const left = upload.content.length - offset
    const length = random.chance(0.3) ? left : Math.min(left, random.size(1, 1024 * 1024))
    const isLast = length === left
    const saysLength = upload.length !== 'acknowledged' && (isLast || random.chance(0.3))
    if (length > 0 && random.chance(0.05) && !(await sendRefused(upload, offset, length, client, manner)))
      isUnsettled = true
    const asked = random.chance(0.2) ? askOffset(upload, client) : undefined
    // It may fail before it is awaited.
    asked?.catch(() => undefined)
    try {
      const taken = await appendByTus(upload, { offset, length, saysLength, isUnsettled }, client, manner)
      if (taken) isUnsettled = false
    } catch (error) {
      if (!(error instanceof BrokenOff)) throw error
      // Sent bytes may still be in flight to the disk, or even to the program, when the next request arrives, or the
      // one after that.
      isUnsettled = true
    } finally {
      await asked
    }
    offset = await askOffset(upload, client)
  }
}

/**
 * Sends the rest of an upload in one request, whose bytes count as they arrive, without a journal.
 *
 * @throws NoAnswer, Over, Violation
 */
export async function streamByTus(upload: UploadModel, client: Client, manner: Manner): Promise<void> {
  const offset = await askOffset(upload, client)
  const left = upload.content.length - offset
  if (upload.everythingAcknowledged) return
  const begun = Date.now()
  const answer = await patch(upload, offset, false, client, bodyOf(upload, offset, left, manner))
  if (answer.status !== 204) upload.broken(`did not accept the rest from ${offset} on: ${responseText(answer)}`)
  upload.gotBytesAfter(begun, client.sweeps)
  noteOffset(upload, answer, upload.content.length)
}

/**
 * A client that returns to an upload for one byte of it, and leaves again.
 *
 * @throws NoAnswer, BrokenOff, Over, Violation
 */
export async function touchByTus(upload: UploadModel, client: Client, manner: Manner): Promise<void> {
  const offset = await askOffset(upload, client)
  if (offset + 1 >= upload.content.length) return
  await appendByTus(upload, { offset, length: 1, saysLength: false, isUnsettled: false }, client, manner)
  await askOffset(upload, client)
}

interface Append {
  readonly offset: number
  readonly length: number
  readonly saysLength: boolean
  /** Whether the offset may have changed since it was requested. */
  readonly isUnsettled: boolean
}

/** One PATCH. @returns whether it was accepted. @throws NoAnswer, BrokenOff, Over, Violation */
async function appendByTus(
  upload: UploadModel,
  { offset, length, saysLength, isUnsettled }: Append,
  client: Client,
  manner: Manner,
): Promise<boolean> {
  const body = bodyOf(upload, offset, length, manner)
  const breaks = body.end === 'whole' && manner.random.chance(0.1) && body.pieces.length > 1
  const checksum = manner.random.chance(0.25) ? checksumOf(upload, offset, length) : {}
  if (saysLength) upload.length = 'stated'
  const begun = Date.now()
  const answer = await patch(upload, offset, saysLength, client, breaks ? brokenOff(body) : body, checksum)
  if (answer.status === 409 && isUnsettled) return false
  if (answer.status !== 204) upload.broken(`did not accept ${length} bytes at ${offset}: ${responseText(answer)}`)
  if (saysLength) upload.length = 'acknowledged'
  // No other request may have sent them.
  if (length > 0 && !isUnsettled) upload.gotBytesAfter(begun, client.sweeps)
  noteOffset(upload, answer, offset + length)
  return true
}

/**
 * A PATCH whose bytes do not match its checksum, or whose client disconnects: none of them counts, and they must not
 * reach the disk after those of the next request.
 *
 * @returns whether it has ended: an aborted request may be read after the next one, on its own connection, and then end
 * that as the newer one.
 * @throws NoAnswer, Over, Violation
 */
async function sendRefused(
  upload: UploadModel,
  offset: number,
  length: number,
  client: Client,
  manner: Manner,
): Promise<boolean> {
  const other = inverted(upload.content.subarray(offset, offset + length))
  const body = slowly(other, [], manner, () => undefined)
  const breaks = body.end === 'whole' && manner.random.chance(0.5) && body.pieces.length > 1
  try {
    const checksum = checksumOf(upload, offset, length)
    const answer = await patch(upload, offset, false, client, breaks ? brokenOff(body) : body, checksum)
    // An earlier request may have changed the offset.
    if (![460, 409].includes(answer.status))
      upload.broken(`accepted bytes with another checksum: ${responseText(answer)}`)
    return true
  } catch (error) {
    if (!(error instanceof BrokenOff)) throw error
    return false
  }
}

/** Sends some bytes into a WebUploader file whose chunks arrive concurrently. @throws NoAnswer, Over, Violation */
export async function sendPrefixByTus(upload: UploadModel, client: Client, manner: Manner): Promise<void> {
  const offset = await askOffset(upload, client)
  const length = Math.min(upload.content.length - offset, manner.random.size(1, 256 * 1024))
  if (length === 0) return
  const answer = await patch(upload, offset, false, client, bodyOf(upload, offset, length, manner))
  // A chunk may have changed the offset meanwhile.
  if (answer.status === 204) noteOffset(upload, answer, offset + length)
  else if (answer.status !== 409) upload.broken(`did not accept bytes by tus: ${responseText(answer)}`)
}
