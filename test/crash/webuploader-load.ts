import { setTimeout as pause } from 'node:timers/promises'
import { inverted } from '../support/bytes.ts'
import { all } from './all-settled.ts'
import type { Manner } from './bodies.ts'
import { type Body, BrokenOff, type Client } from './client.ts'
import { type Cut, chunkRange, type UploadModel } from './model.ts'
import { sendPrefixByTus } from './tus-load.ts'
import { responseText } from './tus-requests.ts'
import { allChunks, askMissing, chunkMessage, codeOf, noteAccepted, post } from './webuploader-requests.ts'
import { sendInAnotherSize, sendOtherBytes } from './webuploader-wrongs.ts'

/** The refusals after which a page sends a chunk again: its place is known now, or it was silent for too long. */
const SENT_AGAIN: ReadonlySet<string> = new Set(['chunk_not_placed', 'superseded'])

/** Sends the missing chunks of a file on several connections, as a page does. @throws NoAnswer, Over, Violation */
export async function sendByWebUploader(upload: UploadModel, cut: Cut, client: Client, manner: Manner): Promise<void> {
  const { random } = manner
  // A reloaded page sends everything again, unless it wants to know whether the upload has failed.
  const sendsAll = upload.path === undefined || (random.chance(0.15) && upload.failure === 'none')
  const missing = sendsAll ? allChunks(cut) : await askMissing(upload, cut, client)
  const queue = random.chance(0.6) ? random.shuffled(missing) : [...missing]
  // Some pages are reloaded before they have sent everything.
  const reloadAfter = random.chance(0.15) ? random.whole(1, cut.chunks) : Number.POSITIVE_INFINITY
  let sent = 0
  const threads = Array.from({ length: random.whole(1, 6) }, async () => {
    for (let chunk = queue.shift(); chunk !== undefined && sent < reloadAfter; chunk = queue.shift()) {
      sent += 1
      await sendOneChunk(upload, cut, chunk, client, manner)
    }
  })
  if (upload.path !== undefined && !upload.finished && random.chance(0.3)) {
    threads.push(sendPrefixByTus(upload, client, manner))
  }
  await all(threads)
  if (sent >= reloadAfter) await sendInAnotherSize(upload, cut, client, manner)
  const left = await askMissing(upload, cut, client)
  if (left.length > 0 && sent < reloadAfter) upload.broken('is not complete with all its chunks')
  // Different bytes make the sender start another upload, so no chunk may remain to be sent.
  const chunk = random.whole(0, cut.chunks - 1)
  if (left.length === 0 && random.chance(0.2)) await sendOtherBytes(upload, cut, chunk, client, manner)
}

/** Sends a chunk as pages do: concurrently in two copies, aborted and sent again, or followed by other bytes. */
async function sendOneChunk(upload: UploadModel, cut: Cut, chunk: number, client: Client, manner: Manner) {
  const { random } = manner
  const broken = random.chance(0.12) ? breakOff(upload, cut, chunk, client, manner) : Promise.resolve()
  // Half of the pages send it again at once: the server may not yet have noticed the abort.
  if (random.chance(0.5)) await broken
  const delays = random.chance(0.15) ? [0, random.whole(0, 5)] : [0]
  const copies = delays.map((delay) => pause(delay).then(() => sendWhole(upload, cut, chunk, client, manner)))
  await all([broken, ...copies])
}

async function sendWhole(upload: UploadModel, cut: Cut, chunk: number, client: Client, manner: Manner): Promise<void> {
  const range = chunkRange(upload, cut, chunk)
  const bytes = upload.content.subarray(range.start, range.end)
  for (let tries = 0; ; tries++) {
    const known = upload.acknowledgedBytes
    const begun = Date.now()
    const isNew = !upload.isTouched(range)
    const message = chunkMessage(cut, chunk, bytes, manner, () => upload.sending(range))
    const answer = await post(upload, message, client)
    if (answer.status === 200) {
      noteAccepted(upload, cut, chunk, answer, known, client)
      if (isNew && bytes.length > 0) upload.gotBytesAfter(begun, client.sweeps)
      return
    }
    if (!SENT_AGAIN.has(codeOf(answer)) || tries === 3)
      upload.broken(`did not accept chunk ${chunk}: ${responseText(answer)}`)
  }
}

/** A client that gives up after a part of the body, or after all of it except its end. */
async function breakOff(upload: UploadModel, cut: Cut, chunk: number, client: Client, manner: Manner): Promise<void> {
  const { random } = manner
  const range = chunkRange(upload, cut, chunk)
  const own = upload.content.subarray(range.start, range.end)
  // None of them counts, and they must not reach the disk after those of the next request.
  const bytes = random.chance(0.5) ? inverted(own) : own
  // The closing boundary is missing: the last piece is omitted.
  const message = chunkMessage(cut, chunk, bytes, manner, () => upload.broken('was to be aborted before its end'))
  const body = cutOff(message.body, manner)
  if (body === undefined) return
  try {
    const answer = await post(upload, { ...message, body }, client)
    if (answer.status === 200) upload.broken(`accepted chunk ${chunk} before its end: ${responseText(answer)}`)
  } catch (error) {
    if (!(error instanceof BrokenOff)) throw error
  }
}

/** The body up to one of its pieces before the last, then a pause, then the end of the connection. */
function cutOff({ pieces, announced }: Body, { random }: Manner): Body | undefined {
  if (pieces.length < 2) return undefined
  const kept = pieces.slice(0, random.chance(0.4) ? -1 : random.whole(1, pieces.length - 1))
  const silence = random.chance(0.5) ? 0 : random.size(1, 300)
  return {
    pieces: kept.map((piece, i) => (i === kept.length - 1 ? { ...piece, pause: silence } : piece)),
    announced,
    end: 'break',
  }
}
