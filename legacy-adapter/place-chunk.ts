import { UploadError } from '../server/core/errors.ts'
import { covers } from '../server/core/ranges.ts'
import type { WebUploaderRecord } from '../server/core/record.ts'
import type { Upload } from '../server/core/upload.ts'
import { isBeginner } from './caller.ts'
import { historyName } from './check-histories.ts'
import { putBytes } from './chunk-bytes.ts'
import type { StoredChunk } from './chunk-layout.ts'
import type { ChunkRequest } from './chunk-request.ts'
import { now } from './live-uploads.ts'
import {
  chunkSetOf,
  type PageRecord,
  sharesOf,
  updatePage,
  withChunk,
  withoutSender,
  withSender,
} from './page-record.ts'
import { contentDiffers, type Destination, wronglySkipped } from './placing.ts'
import type { Tools } from './tools.ts'
import { isWhole, skippedWrongly } from './which-upload.ts'

/** What a request proves about its file. */
export interface Shown {
  /** The length of its chunk in bytes, all of which match the file. */
  readonly length: number
  /** Whether it brought the last missing bytes. */
  readonly isLast: boolean
}

/**
 * Puts a chunk into its upload, and records what that says about its sender: it joins the upload, has sent one more
 * chunk, or is removed because its bytes differ.
 *
 * @throws UploadError `wrongly_skipped`, and what `putBytes` throws.
 */
export async function placeChunk(request: ChunkRequest, destination: Destination, tools: Tools): Promise<Shown> {
  const { upload, sender, isProof } = destination
  const mayFail = isBeginner(upload.record, sender, request.caller)
  let stored: StoredChunk
  try {
    stored = await (request.stated?.put(upload) ?? putBytes(request, upload, mayFail))
  } catch (error) {
    if (error instanceof UploadError) await reject(request, destination, error, tools)
    throw error
  }
  const hasCompleted = upload.state !== 'receiving'
  if (isProof) await join(request, destination, tools)
  // Another chunk of this sender differed meanwhile.
  else if (!upload.record.webUploader?.senders?.includes(sender)) throw contentDiffers()
  const hasEnded = await share(request, destination, tools)
  await measure(request, upload)
  if (await isSkippedWrongly(request, destination, tools)) throw wronglySkipped()
  return { length: stored.length, isLast: stored.added > 0 && (hasCompleted || hasEnded) }
}

/** Removes a sender from an upload for which it sent different bytes. */
async function reject(
  request: ChunkRequest,
  { upload, sender, isProof }: Destination,
  { code }: UploadError,
  { senders }: Tools,
): Promise<void> {
  const differs = code === 'content_differs'
  if (!differs && !(isProof && code === 'chunk_size_changed')) return
  const pending = senders.pending(request.identities().own.firstId)
  pending.proving = undefined
  pending.rejected = { byLaterChunk: request.place.chunk !== 0, last: now() }
  senders.forgetUpload(request.key)
  pending.wake()
  if (!differs) return
  await updatePage(upload, (page) => ({ ...(isProof ? page : withoutSender(page, sender)), contested: true }), {
    hold: !isProof,
  })
}

/** Adds a sender whose chunk 0 matched. */
async function join(request: ChunkRequest, destination: Destination, tools: Tools): Promise<void> {
  const { id, upload, sender, firstId, group } = destination
  const { histories, lookup, senders } = tools
  const change = (page: PageRecord): PageRecord => withSender(page, sender, request.modified, chunkSetOf(upload))
  await updatePage(upload, change, { hold: true })
  await lookup.note(firstId, id)
  senders.setKnownUpload(request.key, destination)
  await histories.change(historyName(request.caller, group), (history) => history.clearRefusal(group))
  const pending = senders.pending(request.identities().own.firstId)
  pending.proving = undefined
  pending.wake()
}

/**
 * Adds a stored chunk to its sender's share, and finishes a file that several senders fed once it is whole.
 *
 * @returns whether it finishes.
 */
async function share(request: ChunkRequest, { upload, sender, group }: Destination, tools: Tools): Promise<boolean> {
  if (upload.record.webUploader?.shares === undefined || upload.state !== 'receiving') return false
  const { chunk, chunks } = request.place
  await updatePage(upload, (page) => withChunk(page, sender, chunk))
  const { length } = upload.record
  if (length === null || !covers(upload.received, { start: 0, end: length })) return false
  const listed = await tools.histories.listed(request.caller, group)
  if (!isWhole(sharesOf(upload.record), chunks, listed)) return false
  await upload.announceEnd(length)
  return true
}

/** Records how long the chunks of an upload are, where `Shown` needs it. */
async function measure({ stated }: ChunkRequest, upload: Upload): Promise<void> {
  const isLonger = ({ longest }: WebUploaderRecord = {}): boolean =>
    longest !== undefined && stated?.longest !== undefined && stated.longest > longest
  if (!isLonger(upload.record.webUploader)) return
  await updatePage(upload, (page) => (isLonger(page) ? { ...page, longest: stated?.longest } : page))
}

/** Whether the page skipped chunks from an outdated list; the chunk that reveals it is stored all the same. */
async function isSkippedWrongly(request: ChunkRequest, { upload, group }: Destination, tools: Tools): Promise<boolean> {
  if (upload.state !== 'receiving' || tools.live.inFlight(upload.record.id) > 1) return false
  const { chunk, chunks } = request.place
  const listed = await tools.histories.listed(request.caller, group)
  return listed.length > 0 && skippedWrongly(chunk, chunkSetOf(upload), chunks, listed)
}
