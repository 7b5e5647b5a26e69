import { setTimeout as pause } from 'node:timers/promises'
import type { Layout } from '../../server/disk/layout.ts'
import { TUS } from '../support/tus.ts'
import { type Client, NoAnswer } from './client.ts'
import {
  checkDisk,
  checkFinishedFile,
  checkIncomingBytes,
  checkNothingLeft,
  isLanded,
  isWhollyIncoming,
} from './disk-checks.ts'
import { chunkRange, type UploadModel } from './model.ts'
import { askOffset, download, pathOf } from './tus-load.ts'
import { allChunks, askMissing } from './webuploader-load.ts'

/** How long an upload may take to finish by itself, in milliseconds. */
const PATIENCE = 10_000
/** After how many restarts an upload that is finished or deleted is asked for only at the end. */
const ASK_AFTER_RESTARTS = 3
const AT_ONCE = 8

/**
 * Everything that was promised, after a restart.
 *
 * @param alive whether the program has not been killed meanwhile.
 * @param isLast whether those are asked for, too, that have been all right for long.
 * @throws Violation, or NoAnswer when the program is killed while it is asked.
 */
export async function checkPromises(
  uploads: readonly UploadModel[],
  layout: Layout,
  client: Client,
  alive: () => boolean,
  isLast = false,
): Promise<void> {
  await checkDisk(uploads, layout)
  for (const upload of uploads) {
    if (upload.removal !== 'none' || upload.finished) continue
    if (await mustFinish(upload, layout)) await waitUntilLanded(upload, layout, alive)
  }
  const asked = uploads.filter(
    (upload) => upload.path !== undefined && (isLast || upload.restartsSeen < ASK_AFTER_RESTARTS),
  )
  const queue = [...asked]
  const askers = Array.from({ length: AT_ONCE }, async () => {
    for (let upload = queue.shift(); upload !== undefined; upload = queue.shift()) {
      await checkUpload(upload, layout, client, isLast)
    }
  })
  const outcomes = await Promise.allSettled(askers)
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  const worst = failures.find((error) => !(error instanceof NoAnswer)) ?? failures[0]
  if (worst !== undefined) throw worst
}

/** Whether all bytes are there, by what was acknowledged, or by what the disk says without a journal. */
async function mustFinish(upload: UploadModel, layout: Layout): Promise<boolean> {
  return upload.everythingAcknowledged || (upload.length === 'acknowledged' && (await isWhollyIncoming(upload, layout)))
}

/** It finishes without being asked for. */
async function waitUntilLanded(upload: UploadModel, layout: Layout, alive: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE
  while (!(await isLanded(upload, layout))) {
    if (!alive()) throw new NoAnswer('The program was killed while it finished uploads')
    if (performance.now() > deadline) upload.broken('has all its bytes, but does not finish by itself')
    await pause(5)
  }
}

async function checkUpload(upload: UploadModel, layout: Layout, client: Client, isLast: boolean): Promise<void> {
  if (await isGone(upload, client)) return checkRemoved(upload, layout, client)
  // A deletion that got no answer has not happened, then.
  upload.removal = 'none'
  const offset = await askOffset(upload, client)
  const missing = upload.cut === undefined ? [] : await askMissing(upload, upload.cut, client)
  if (upload.finished) {
    await checkFinishedFile(upload, layout, isLast)
    if (upload.restartsSeen === 0 || isLast) await download(upload, client)
    upload.restartsSeen += 1
    return
  }
  const { cut } = upload
  const received = cut === undefined ? [] : allChunks(cut).filter((chunk) => !missing.includes(chunk))
  const chunks = cut === undefined ? [] : received.map((chunk) => chunkRange(upload, cut, chunk))
  await checkIncomingBytes(upload, [{ start: 0, end: offset }, ...chunks], layout)
  const answer = await client.send('GET', pathOf(upload), {})
  if (answer.status !== 404) upload.broken(`can be downloaded before it is finished: ${answer.status}`)
}

/** @throws Violation when it is gone though nobody has deleted it, or there though it was deleted. */
async function isGone(upload: UploadModel, client: Client): Promise<boolean> {
  const { status } = await client.send('HEAD', pathOf(upload), TUS)
  if (status === 410 && upload.removal !== 'none') return true
  if (status === 200 && upload.removal !== 'done') return false
  return upload.broken(`answers ${status}, removal ${upload.removal}`)
}

async function checkRemoved(upload: UploadModel, layout: Layout, client: Client): Promise<void> {
  if (upload.removal === 'asked') upload.acknowledgeRemoved()
  await checkNothingLeft(upload, layout)
  const answer = await client.send('GET', pathOf(upload), {})
  if (answer.status !== 410) upload.broken(`is deleted, but a download is answered with ${answer.status}`)
  upload.restartsSeen += 1
}
