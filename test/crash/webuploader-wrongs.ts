import { TUS } from '../support/tus.ts'
import type { Manner } from './bodies.ts'
import type { Client } from './client.ts'
import { type Cut, chunkRange, type UploadModel } from './model.ts'
import { orOver, pathOf, responseText } from './tus-requests.ts'
import { chunkMessage, codeOf, post } from './webuploader-requests.ts'

/**
 * Sends other bytes for a stored chunk: they are refused, and the stored ones stay.
 *
 * @throws NoAnswer, Over, Violation
 */
export async function sendOtherBytes(upload: UploadModel, cut: Cut, chunk: number, client: Client, manner: Manner) {
  const { start, end } = chunkRange(upload, cut, chunk)
  if (start === end) return
  const other = Buffer.from(upload.content.subarray(start, end))
  // The first difference may be late.
  const place = manner.random.whole(0, other.length - 1)
  other.writeUInt8(other.readUInt8(place) ^ 0x20, place)
  const answer = await post(upload, chunkMessage(cut, chunk, other, manner), client)
  const isRefused = answer.status === 409 && codeOf(answer) === 'content_differs'
  if (!isRefused) upload.broken(`accepted other bytes for chunk ${chunk}: ${responseText(answer)}`)
}

/**
 * The reloaded page uses another chunk size, but as many chunks: the upload fails, unless it is complete, and the page
 * continues with the next one.
 *
 * @throws NoAnswer, Over, Violation
 */
export async function sendInAnotherSize(upload: UploadModel, cut: Cut, client: Client, manner: Manner): Promise<void> {
  const chunkSize = otherSize(upload, cut, manner)
  if (chunkSize === undefined || upload.path === undefined) return
  const next: Cut = { ...cut, chunkSize }
  const chunk = manner.random.whole(0, cut.chunks - 1)
  const { start, end } = chunkRange(upload, next, chunk)
  const bytes = upload.content.subarray(start, end)
  upload.nextCut = next
  if (!upload.everythingAcknowledged) upload.failure = 'possible'
  const answer = await post(upload, chunkMessage(next, chunk, bytes, manner), client)
  const code = answer.status === 409 ? codeOf(answer) : 'none'
  if (code !== 'chunk_size_changed') {
    upload.broken(`accepted chunk ${chunk} with another chunk size: ${responseText(answer)}`)
  }
  orOver(upload, client, await client.send('HEAD', pathOf(upload), TUS))
  if (!upload.isSent(upload.wholeFile)) upload.broken('did not fail')
  upload.failure = 'none'
}

function otherSize(upload: UploadModel, { chunks, chunkSize }: Cut, { random }: Manner): number | undefined {
  if (chunks < 2) return undefined
  const least = Math.ceil(upload.content.length / chunks)
  const most = Math.ceil(upload.content.length / (chunks - 1)) - 1
  const other = random.whole(least, most)
  return other === chunkSize ? undefined : other
}
