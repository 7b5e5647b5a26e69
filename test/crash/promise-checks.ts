import { setTimeout as pause } from 'node:timers/promises'
import { TUS } from '../support/tus.ts'
import { all } from './all-settled.ts'
import { type Client, NoAnswer, saysGone } from './client.ts'
import { askFinal, postFinal } from './join-load.ts'
import { chunkRange, Over, type UploadModel, Violation } from './model.ts'
import { download } from './readers.ts'
import type { Storage } from './storage.ts'
import { askOffset, pathOf } from './tus-requests.ts'
import { allChunks, askMissing } from './webuploader-requests.ts'

/** After this many restarts, an upload that is finished, deleted, or joined is requested only at the end. */
const ASK_AFTER_RESTARTS = 3
const AT_ONCE = 8

/** The uploads to check, and how. */
export interface Checking {
  readonly storage: Storage
  readonly client: Client
  /** Whether the program has not been killed meanwhile. */
  readonly alive: () => boolean
  /** Whether uploads that have long been correct are requested, too. */
  readonly isLast: boolean
}

interface Asking extends Checking {
  /** That of `Storage.nothingLeft`, from before the first request. */
  readonly checkNothingLeft: (upload: UploadModel) => Promise<void>
}

/**
 * Checks all promises to a client after a restart.
 *
 * @throws Violation, or NoAnswer when the program is killed meanwhile.
 */
export async function checkPromises(uploads: readonly UploadModel[], checking: Checking): Promise<void> {
  const { storage, isLast } = checking
  for (const upload of uploads) {
    if (!upload.isOpen || upload.failure !== 'none') continue
    if (await mustFinish(upload, storage)) await waitUntilLanded(upload, checking)
  }
  const asked = uploads.filter(
    (upload) => upload.path !== undefined && (isLast || upload.restartsSeen < ASK_AFTER_RESTARTS),
  )
  const asking = { ...checking, checkNothingLeft: await storage.nothingLeft() }
  // The states of its parts determine the possible states of a final upload.
  await askAll(
    asked.filter(({ nature }) => nature.kind !== 'final'),
    asking,
  )
  await askAll(
    asked.filter(({ nature }) => nature.kind === 'final'),
    asking,
  )
}

async function askAll(uploads: readonly UploadModel[], asking: Asking): Promise<void> {
  const queue = [...uploads]
  const askers = Array.from({ length: AT_ONCE }, async () => {
    for (let upload = queue.shift(); upload !== undefined; upload = queue.shift()) await checkUpload(upload, asking)
  })
  await all(askers)
}

/** Whether all bytes have arrived, by acknowledgements, or by what is stored. */
async function mustFinish(upload: UploadModel, storage: Storage): Promise<boolean> {
  const { kind } = upload.nature
  if (kind === 'part') return false
  if (kind === 'final') return upload.everythingAcknowledged && upload.parts.every(({ removal }) => removal === 'none')
  return upload.everythingAcknowledged || (upload.length === 'acknowledged' && (await storage.isWhollyThere(upload)))
}

/** Expects it to finish without a request, or with one that only asks. */
async function waitUntilLanded(upload: UploadModel, { storage, client, alive }: Checking): Promise<void> {
  await resume(upload, storage, client)
  await until(
    async () => (await storage.isLanded(upload)) || upload.mayHaveExpired(client.sweeps),
    storage.patience,
    alive,
    () => upload.broken('has all its bytes, but does not finish by itself'),
  )
}

/** What a client does that misses a response. */
async function resume(upload: UploadModel, { resumesAtStart }: Storage, client: Client): Promise<void> {
  if (resumesAtStart) return
  if (upload.nature.kind === 'final') await postFinal(upload.name, upload.parts, client)
  else await client.send('HEAD', pathOf(upload), TUS)
}

async function until(
  come: () => Promise<boolean>,
  patience: number,
  alive: () => boolean,
  tooLate: () => never,
): Promise<void> {
  const deadline = performance.now() + patience
  while (!(await come())) {
    if (!alive()) throw new NoAnswer('The program was killed while it did something by itself')
    if (performance.now() > deadline) tooLate()
    await pause(5)
  }
}

async function checkUpload(upload: UploadModel, asking: Asking): Promise<void> {
  try {
    await checkOne(upload, asking)
  } catch (error) {
    // It expired between two requests, or has now been reported as failed.
    if (!(error instanceof Over)) throw error
  }
}

async function checkOne(upload: UploadModel, asking: Asking): Promise<void> {
  const { storage, client, isLast } = asking
  const answer = await client.send('HEAD', pathOf(upload), TUS)
  const { status } = answer
  if (saysGone(answer)) return checkRemoved(upload, asking)
  if (status === 422) return checkFailed(upload, client)
  if (status !== 200 || upload.removal === 'done') upload.broken(`answers ${status}, removal ${upload.removal}`)
  if (upload.failure === 'certain') upload.broken('had failed, but no longer reports it')
  // So a removal without a response, or one that was only reported, has not taken effect. One of several nodes may still
  // be at it.
  if (client.endsWithProgram) {
    upload.removal = 'none'
    upload.expired = false
  }
  if (upload.nature.kind === 'final') await checkFinal(upload, asking)
  else await checkReceived(upload, asking)
  if (upload.final?.finished) upload.restartsSeen += 1
  if (!upload.finished) return
  await storage.checkFinishedFile(upload, isLast)
  if (upload.restartsSeen === 0 || isLast) await download(upload, client)
  upload.restartsSeen += 1
}

async function checkReceived(upload: UploadModel, { storage, client }: Checking): Promise<void> {
  const { cut, final } = upload
  // The request with another chunk size has not taken effect, and ended with its program.
  if (client.endsWithProgram) upload.failure = 'none'
  const offset = await askOffset(upload, client)
  const missing = cut === undefined ? [] : await askMissing(upload, cut, client)
  if (upload.finished) return
  const received = cut === undefined ? [] : allChunks(cut).filter((chunk) => !missing.includes(chunk))
  const chunks = cut === undefined ? [] : received.map((chunk) => chunkRange(upload, cut, chunk))
  // At some point, the bytes of a part move to the final upload.
  if (final === undefined) {
    // Unless it has just expired, its bytes are stored.
    const ask = (): Promise<number> => askOffset(upload, client)
    await storage.checkReceivedBytes(upload, [{ start: 0, end: offset }, ...chunks], ask)
  }
  const answer = await client.send('GET', pathOf(upload), {})
  if (answer.status === 410) upload.isSaidToBeGone(client.sweeps)
  if (answer.status !== 404) upload.broken(`can be downloaded before it is finished: ${answer.status}`)
}

async function checkFinal(final: UploadModel, { storage, client, alive }: Checking): Promise<void> {
  const isShortOfParts = final.parts.some(({ removal }) => removal !== 'none')
  if (!isShortOfParts) final.failure = 'none'
  if (await askFinal(final, client)) {
    const gaveUp = async (): Promise<boolean> => {
      const left = await Promise.all(
        final.parts.map(async (part) => part.removal === 'none' && !(await storage.hasNoBytes(part))),
      )
      return !left.includes(true)
    }
    return until(gaveUp, storage.patience, alive, () => final.broken('is finished, but parts keep their bytes'))
  }
  // It detects by itself that its parts cannot be joined.
  if (isShortOfParts) {
    final.failure = 'possible'
    await resume(final, storage, client)
    const over = async (): Promise<boolean> => askFinal(final, client)
    return until(over, storage.patience, alive, () => final.broken('has lost a part, but does not fail'))
  }
  await storage.checkWhatIsThere(final)
}

async function checkFailed(upload: UploadModel, client: Client): Promise<void> {
  if (upload.finished || upload.failure === 'none') upload.broken('has failed without a reason')
  upload.failure = 'certain'
  if (upload.removal !== 'done') upload.removal = 'none'
  const answer = await client.send('GET', pathOf(upload), {})
  if (answer.status === 200) upload.broken('has failed, but can be downloaded')
}

/** @throws Violation unless it was deleted or has expired. */
async function checkRemoved(upload: UploadModel, { storage, client, alive, checkNothingLeft }: Asking): Promise<void> {
  if (!upload.mayBeGone(client.sweeps)) upload.broken('is gone, but was not deleted and cannot have expired')
  if (upload.removal === 'none') upload.expired = upload.mayHaveExpired(client.sweeps)
  if (upload.removal === 'done') await checkNothingLeft(upload)
  else {
    // It is reported from the beginning of its removal.
    const isRemoved = async (): Promise<boolean> => (await storage.nothingLeft())(upload).then(() => true, isViolation)
    await until(isRemoved, storage.patience, alive, () => upload.broken('is gone, but has files left'))
    upload.acknowledgeRemoved()
  }
  const answer = await client.send('GET', pathOf(upload), {})
  if (answer.status !== 410) upload.broken(`is deleted, but a download is answered with ${answer.status}`)
  upload.restartsSeen += 1
}

function isViolation(error: unknown): false {
  if (error instanceof Violation) return false
  throw error
}
