import type { SyncMode } from '../../server/disk/environment.ts'
import { head, PATCH_HEADERS, patch, patchWith, TUS } from '../support/tus.ts'
import { complete, sendPlacedChunk } from '../support/webuploader.ts'
import type { Facts } from './acknowledged-facts.ts'
import { Broken } from './after-cut-checks.ts'
import type { SentFile } from './workload.ts'

/**
 * Sends the missing bytes of every file to the program after a power cut, as interrupted clients do, and compares the
 * downloads.
 *
 * @throws Broken
 */
export async function finishByHttp(
  base: string,
  files: readonly SentFile[],
  facts: readonly Facts[],
  sync: SyncMode,
): Promise<void> {
  for (const [i, file] of files.entries()) {
    const known = facts[i]
    if (known === undefined || !known.created || known.removal !== 'none' || file.path === undefined) continue
    const url = `${base}${file.path}`
    if (file.kind === 'webuploader' && !known.finished) await sendChunks(base, file)
    if (file.kind === 'tus' && !known.finished && !(await sendRest(url, file, sync))) continue
    if (file.kind === 'part' || (file.kind === 'final' && !known.finished)) continue
    const answer = await fetch(url)
    if (answer.status !== 200) broken(file, `cannot be downloaded: ${answer.status}`)
    if (!Buffer.from(await answer.arrayBuffer()).equals(file.content)) broken(file, 'is downloaded with other bytes')
    if (file.kind === 'webuploader') await expectComplete(base, file)
  }
}

/** @returns whether there was such an upload. */
async function sendRest(url: string, file: SentFile, sync: SyncMode): Promise<boolean> {
  const { content } = file
  const reported = await head(url)
  if ([404, 410].includes(reported.status) && sync !== 'always') return false
  if (reported.status !== 200) broken(file, `answers ${reported.status}`)
  const offset = Number(reported.headers.get('Upload-Offset'))
  if (offset === content.length && reported.headers.get('Upload-Length') !== null) return true
  const length = { ...PATCH_HEADERS, 'Upload-Offset': String(offset), 'Upload-Length': String(content.length) }
  const isLengthKnown = reported.headers.get('Upload-Length') !== null
  const rest = content.subarray(offset)
  const answer = await (isLengthKnown ? patch(url, offset, rest) : patchWith(url, { ...TUS, ...length }, rest))
  if (answer.status !== 204) broken(file, `does not go on at ${offset}: ${answer.status} ${await answer.text()}`)
  return true
}

/** Sends all of them, as a reloaded page does. */
async function sendChunks(base: string, { fields, chunkSize, content, ...file }: SentFile): Promise<void> {
  if (fields === undefined || chunkSize === undefined) return
  const chunks = Math.ceil(content.length / chunkSize)
  for (let chunk = 0; chunk < chunks; chunk++) {
    const bytes = content.subarray(chunk * chunkSize, (chunk + 1) * chunkSize)
    const answer = await sendPlacedChunk(base, { ...fields, chunks, chunk }, bytes)
    if (answer.status !== 200) broken(file, `does not take chunk ${chunk}: ${await answer.text()}`)
  }
}

async function expectComplete(base: string, file: SentFile): Promise<void> {
  const answer = await complete(base, { task_id: String(file.fields?.task_id), filename: file.name })
  if (answer.status !== 200) broken(file, `is not complete: ${await answer.text()}`)
}

function broken({ kind, name, path }: Pick<SentFile, 'kind' | 'name' | 'path'>, what: string): never {
  throw new Broken(`${kind} upload ${name} (${path}) ${what}`)
}
