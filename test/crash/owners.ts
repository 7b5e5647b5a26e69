import { bearer, inSeconds, JWT_SECRET, tokenFor } from '../support/tokens.ts'
import { TUS } from '../support/tus.ts'
import { all } from './all-settled.ts'
import type { Answer, Client, Headers } from './client.ts'
import { postFinal } from './join-load.ts'
import type { UploadModel } from './model.ts'
import { pathOf, responseText } from './tus-requests.ts'

/** The settings of a program whose clients need tokens. */
export const JWT_SETTINGS = { AUTH: 'jwt', JWT_SECRET } as const

/** How many of the recent uploads of an owner others try to reach after a start. */
const RECENT = 10
const AT_ONCE = 8

/** The credentials of one client. */
export async function credentialsOf(owner: string): Promise<Headers> {
  return bearer(await tokenFor(owner, { exp: inSeconds(86_400) }))
}

/**
 * Lets a client try to reach the uploads of another one, in any state.
 *
 * @param isLast whether it tries all of them.
 * @throws NoAnswer, or Violation unless they do not exist for it.
 */
export async function checkHidden(uploads: readonly UploadModel[], stranger: Client, isLast: boolean): Promise<void> {
  const known = uploads.filter(({ path }) => path !== undefined)
  const queue = isLast ? known : known.slice(-RECENT)
  const askers = Array.from({ length: AT_ONCE }, async () => {
    for (let upload = queue.shift(); upload !== undefined; upload = queue.shift()) await tryToReach(upload, stranger)
  })
  await all(askers)
}

async function tryToReach(upload: UploadModel, stranger: Client): Promise<void> {
  const path = pathOf(upload)
  const append = { ...TUS, 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': '0' }
  const body = { pieces: [{ bytes: Buffer.from('x'), pause: 0 }], announced: 1, end: 'whole' } as const
  const answers: Answer[] = [
    await stranger.send('HEAD', path, TUS),
    await stranger.send('GET', path, {}),
    await stranger.send('PATCH', path, append, body),
    await stranger.send('DELETE', path, TUS),
  ]
  const other = answers.find(({ status, headers }) => status !== 404 || headers['upload-error'] !== 'not_found')
  if (other !== undefined) upload.broken(`exists for another client: ${responseText(other)}`)
  if (upload.nature.kind !== 'part') return
  const joined = await postFinal('of a thief', [upload], stranger)
  if (joined.status !== 422) upload.broken(`can be joined by another client: ${responseText(joined)}`)
}
