import type { Random } from '../support/random.ts'
import { TUS } from '../support/tus.ts'
import { type Answer, type Client, type Headers, saysGone } from './client.ts'
import type { UploadModel } from './model.ts'
import { pathOf, responseText } from './tus-requests.ts'

/** GET of the whole finished file. @throws NoAnswer, Violation */
export async function download(upload: UploadModel, client: Client): Promise<void> {
  const answer = await client.send('GET', pathOf(upload), {})
  if (answer.status !== 200) upload.broken(`cannot be downloaded: ${responseText(answer)}`)
  if (!answer.body.equals(upload.content)) upload.broken('is downloaded with other bytes')
}

type Ask = (upload: UploadModel, client: Client, random: Random) => Promise<Answer>

const ASKS: readonly Ask[] = [
  (upload, client) => client.send('HEAD', pathOf(upload), TUS),
  (upload, client) => client.send('HEAD', pathOf(upload), {}),
  (upload, client) => client.send('GET', pathOf(upload), {}),
  // A client that disconnects in the middle.
  (upload, client, random) => client.send('GET', pathOf(upload), {}, undefined, random.size(1, 1024 * 1024)),
  (upload, client, random) => client.send('GET', pathOf(upload), rangeOf(upload, random)),
  (upload, client, random) =>
    client.send('GET', pathOf(upload), { Range: `bytes=-${random.size(1, 8 * 1024 * 1024)}` }),
  (upload, client) => client.send('GET', pathOf(upload), { 'If-None-Match': '*' }),
]

/**
 * Requests an upload in any state, also while other requests use it. The response must include the facts from before
 * the request, and may include later ones.
 *
 * @throws NoAnswer, Violation
 */
export async function askInAnyWay(upload: UploadModel, client: Client, random: Random): Promise<void> {
  const [ask] = random.shuffled(ASKS)
  if (ask === undefined) return
  const { finished, acknowledgedOffset } = upload
  const wasWhole = finished && upload.removal === 'none'
  const wasRemoved = upload.removal === 'done'
  const answer = await ask(upload, client, random)
  const { status, headers } = answer
  if (saysGone(answer)) {
    if (!upload.mayBeGone(client.sweeps)) upload.broken('is reported as gone')
    return
  }
  if (wasRemoved) upload.broken(`is deleted, but answers ${responseText(answer)}`)
  if (status === 422 && (finished || upload.failure === 'none'))
    upload.broken(`is reported as failed: ${responseText(answer)}`)
  if (status === 404 && wasWhole) upload.broken('is finished, but not found')
  if (![200, 204, 206, 304, 404, 422].includes(status)) upload.broken(`answers ${responseText(answer)}`)
  const offset = Number(headers['upload-offset'] ?? acknowledgedOffset)
  const most = upload.nature.kind === 'final' ? upload.content.length : upload.sentOffset
  if (offset < acknowledgedOffset || offset > most) {
    upload.broken(`is at offset ${offset}: ${acknowledgedOffset} were acknowledged, ${most} sent`)
  }
  if (answer.body.length === 0 || status >= 300) return
  if (upload.nature.kind === 'part' || !upload.mayBeWhole)
    upload.broken('can be downloaded, but not all of it was sent')
  const [, start] = /^bytes (\d+)-/.exec(headers['content-range'] ?? '') ?? []
  expectBytes(upload, answer, Number(start ?? 0))
}

function rangeOf(upload: UploadModel, random: Random): Headers {
  const start = random.whole(0, Math.max(0, upload.content.length - 1))
  return { Range: `bytes=${start}-${random.whole(start, upload.content.length)}` }
}

/** Expects the bytes of the file from `start` on. */
function expectBytes(upload: UploadModel, { body }: Answer, start: number): void {
  const expected = upload.content.subarray(start, start + body.length)
  if (!body.equals(expected)) upload.broken(`is downloaded with other bytes from ${start} on`)
}
