import { setTimeout as pause } from 'node:timers/promises'
import { TUS } from '../support/tus.ts'
import { all } from './all-settled.ts'
import type { Manner } from './bodies.ts'
import { type Answer, type Client, saysGone } from './client.ts'
import type { Join } from './join.ts'
import { Over, type UploadModel } from './model.ts'
import { sendByTus } from './tus-load.ts'
import { locationIn, orOver, pathOf, remove, responseText } from './tus-requests.ts'

/** How long a concatenation may take by itself, in milliseconds. */
const PATIENCE = 20_000

/**
 * Sends all parts concurrently, and requests their concatenation before or after they are complete.
 *
 * @throws NoAnswer, Over, Violation
 */
export async function goOnJoining(join: Join, client: Client, manner: Manner): Promise<void> {
  const { random } = manner
  const parts = join.partsInOrder
  const works = parts.map((part) => sendByTus(part, client, manner))
  if (join.final !== undefined || random.chance(0.4)) works.push(askForFinal(join, client).then(() => undefined))
  if (random.chance(0.08)) works.push(removePart(join, client, manner))
  await all(works)
  const final = await askForFinal(join, client)
  await untilFinished(final, client)
  if (random.chance(0.5)) await askOfFinal(final, client)
}

/** The same parts in the same order are always the same final upload. @throws NoAnswer, Over, Violation */
async function askForFinal(join: Join, client: Client): Promise<UploadModel> {
  const final = join.bind()
  final.askedFor(Date.now())
  let answer = await postFinal(final.name, final.parts, client)
  // A part was deleted while its bytes were read.
  for (let tries = 0; answer.status === 503 && tries < 20 && isShortOfParts(final); tries++) {
    await pause(100)
    answer = await postFinal(final.name, final.parts, client)
  }
  if (answer.status === 410 && final.path === undefined && final.removal === 'none') {
    // A request without a response created it, and it has expired since.
    final.removal = 'done'
    throw new Over(`${final.name} is gone`)
  }
  // A part has expired before it belonged to a final upload.
  if (
    answer.status === 422 &&
    final.path === undefined &&
    final.parts.some((part) => part.mayHaveExpired(client.sweeps))
  ) {
    final.failure = 'certain'
    throw new Over(`${final.name} could not be made`)
  }
  if (!final.finished && isShortOfParts(final)) final.failure = 'possible'
  orOver(final, client, answer)
  if (answer.status !== 201) final.broken(`was not created: ${responseText(answer)}`)
  const path = locationIn(answer)
  if (final.path !== undefined && final.path !== path) final.broken(`became another upload, ${path}`)
  final.path = path
  return final
}

/** POST of a final upload. @throws NoAnswer */
export function postFinal(name: string, parts: readonly UploadModel[], client: Client): Promise<Answer> {
  return client.send('POST', '/files', {
    ...TUS,
    'Upload-Concat': `final;${parts.map(pathOf).join(' ')}`,
    'Upload-Metadata': `filename ${Buffer.from(name).toString('base64')}`,
  })
}

/** Expects the concatenation by itself, as soon as all parts are complete. @throws NoAnswer, Over, Violation */
export async function untilFinished(final: UploadModel, client: Client, patience = PATIENCE): Promise<void> {
  for (const deadline = performance.now() + patience; performance.now() < deadline; await pause(5)) {
    if (await askFinal(final, client)) return
  }
  const isWhole = final.parts.every((part) => part.everythingAcknowledged)
  if (isWhole) final.broken('has all its parts, but is not concatenated by itself')
  final.broken('has lost a part, but has not failed')
}

/** HEAD. @returns whether it is finished. @throws NoAnswer, Over, Violation */
export async function askFinal(final: UploadModel, client: Client): Promise<boolean> {
  const wasFinished = final.finished
  const { headers, status, ...rest } = orOver(final, client, await client.send('HEAD', pathOf(final), TUS))
  if (status !== 200) final.broken(`is missing: ${responseText({ status, headers, ...rest })}`)
  if (headers['upload-offset'] === undefined) {
    if (wasFinished) final.broken('is no longer finished')
    return false
  }
  const length = String(final.content.length)
  if (headers['upload-offset'] !== length || headers['upload-length'] !== length) final.broken('has another length')
  final.acknowledgeFinished()
  return true
}

/** Expects a final upload to refuse bytes, and to share no part. @throws NoAnswer, Over, Violation */
async function askOfFinal(final: UploadModel, client: Client): Promise<void> {
  const headers = { ...TUS, 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0' }
  const body = { pieces: [{ bytes: Buffer.from('x'), pause: 0 }], announced: 1, end: 'whole' } as const
  const patched = orOver(final, client, await client.send('PATCH', pathOf(final), headers, body))
  if (patched.status !== 403) final.broken(`accepted bytes: ${responseText(patched)}`)
  // A part that was deleted too late to fail the final upload cannot be queried.
  const parts = final.parts.filter(({ removal }) => removal === 'none')
  if (parts.length > 0) {
    const shared = await postFinal(`thief of ${final.name}`, parts.slice(-1), client)
    // With one part, it is the same upload.
    const expected = final.parts.length === 1 ? 201 : 409
    if (shared.status !== expected) final.broken(`shares a part with another: ${responseText(shared)}`)
  }
  for (const part of parts) {
    const answer = await client.send('GET', pathOf(part), {})
    if (answer.status !== 404) part.broken(`can be downloaded: ${responseText(answer)}`)
  }
}

/** DELETE of a part, while it or the final upload may be in use. @throws NoAnswer, Over, Violation */
async function removePart(join: Join, client: Client, { random }: Manner): Promise<void> {
  await pause(random.whole(0, 60))
  const [part] = random.shuffled(join.partsInOrder)
  if (part !== undefined) await remove(part, client)
}

/** DELETE of a final upload, and with it of its parts. @throws NoAnswer, Over, Violation */
export async function removeFinal(final: UploadModel, client: Client): Promise<void> {
  await remove(final, client)
  for (const part of final.parts) {
    if (part.removal !== 'none') continue
    part.removal = 'asked'
    const answer = await client.send('HEAD', pathOf(part), TUS)
    const { status } = answer
    if (saysGone(answer)) {
      // A removal by the sweep is reported from its beginning, one with the final upload at its end.
      if (final.removal === 'done' && !part.mayHaveExpired(client.sweeps)) part.acknowledgeRemoved()
    }
    // Its bytes were not yet in the final upload, or an interrupted removal has left it.
    else if (status === 200) part.removal = 'none'
    else part.broken(`answers ${status} after its final upload was deleted`)
  }
}

function isShortOfParts(final: UploadModel): boolean {
  return final.parts.some((part) => part.removal !== 'none')
}
