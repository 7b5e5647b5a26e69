import { moved, UploadError } from '../core/errors.ts'
import { S3_TERMS } from '../core/measured.ts'
import type { Found } from '../core/store.ts'
import { type Accepted, accept, type ListedPiece } from './accept.ts'
import {
  type ClaimOwner,
  formatClaim,
  formatLiveState,
  formatManifest,
  type LiveState,
  parseClaim,
  parseLiveState,
  parseManifest,
  parseNotes,
} from './documents.ts'
import { isDerived, readDone } from './ends.ts'
import type { Environment } from './environment.ts'
import { liveFolder, notesKey } from './keys.ts'
import { claimName, manifestName, parseName, recordName } from './names.ts'
import { S3Error } from './s3-error.ts'
import type { Answered, ListedObject } from './s3-port.ts'
import { S3Upload } from './s3-upload.ts'
import { Term } from './term.ts'
import { newToken } from './token.ts'

/** How old a claim of another process must be before this one claims the next term. Milliseconds, by S3's clock. */
const TENURE = 10_000

/** What is below the folder of an unfinished upload. */
export interface Listing {
  readonly date: number
  readonly pieces: readonly ListedPiece[]
  /** All names but those of claims. */
  readonly names: readonly string[]
  /** Sequence numbers by term. */
  readonly records: ReadonlyMap<number, readonly number[]>
  readonly manifests: readonly number[]
  /** The highest term that anything claims or records. */
  readonly term: number
  /** When the highest term was claimed. Milliseconds since 1970. */
  readonly claimedAt: number | undefined
  /** When a piece or record was last written. Milliseconds since 1970. */
  readonly changedAt: number
}

/**
 * Finds an upload, and becomes the writer of an unfinished one: it claims the next term, and lists what is there after
 * that.
 *
 * @throws UploadError `storage_error`, S3Error.
 */
export async function openUpload(environment: Environment, id: string): Promise<Found> {
  const { port, prefix } = environment
  const ended = await findEnd(environment, id)
  if (ended !== undefined) return ended
  const first = await port.get(`${liveFolder(prefix, id)}${recordName(1, 0)}`)
  // It may have ended in between.
  if (first.found === undefined) return (await findEnd(environment, id)) ?? { kind: 'unknown' }
  for (;;) {
    const opened = await openNextTerm(environment, id)
    if (opened !== undefined) return opened
  }
}

/** The end of an upload, if it has one. */
export async function findEnd(environment: Environment, id: string): Promise<Found | undefined> {
  const done = await readDone(environment, id)
  if (done === undefined) return undefined
  if (done.kind === 'gone') return { kind: 'gone', ...(done.owner === undefined ? {} : { owner: done.owner }) }
  const notes = await environment.port.get(notesKey(environment.prefix, id))
  const record = notes.found === undefined ? done.record : parseNotes(notes.found.body)
  return { kind: 'upload', upload: new S3Upload(environment, { ...done, record }) }
}

/** @returns `undefined` if another process was faster: then it starts over. */
async function openNextTerm(environment: Environment, id: string): Promise<Found | undefined> {
  const { port, prefix, node } = environment
  const folder = liveFolder(prefix, id)
  const before = await list(environment, folder)
  if (before.term === 0) return (await findEnd(environment, id)) ?? { kind: 'unknown' }
  if (!(await isOld(environment, folder, before))) return undefined
  const number = before.term + 1
  const claim = await claimTerm(environment, folder, number, { node, token: newToken() })
  if (claim === undefined) return undefined
  if (S3_TERMS.hasSubscribers) S3_TERMS.publish(undefined)
  const listing = await list(environment, folder)
  if (listing.term !== number) return undefined
  // Pieces are deleted only after this is written.
  const ended = await findEnd(environment, id)
  if (ended !== undefined) return ended
  const { state, pieces, void: useless } = await counted(environment, folder, listing)
  const names = pieces.map(({ name }) => name)
  await port.put(`${folder}${manifestName(number)}`, formatManifest({ state, pieces: names }))
  // If this process stopped since its claim, the upload may have ended, and the claims after it may be gone.
  const term = new Term(port, folder, number, claim.date)
  const upload = new S3Upload(environment, {
    state,
    term,
    pieces,
    changedAt: changedAt(environment, listing),
    names: [...listing.names, manifestName(number)],
  })
  if (state.leaving !== undefined) {
    await upload.remove(state.leaving.why)
    return findEnd(environment, id)
  }
  removeOld(environment, folder, term, listing, useless)
  return { kind: 'upload', upload }
}

/** What counts of a listed upload. @throws UploadError `storage_error`, S3Error. */
export async function counted(
  environment: Environment,
  folder: string,
  listing: Listing,
): Promise<Accepted & { readonly state: LiveState }> {
  const { term, manifest, state } = await lastState(environment, folder, listing)
  const mayLack = state.discarded || state.record.failed !== undefined
  return { ...accept(listing.pieces, term, new Set(manifest?.pieces), mayLack), state }
}

/** When a piece or record was last written, by the clock of this host. */
function changedAt({ clock }: Environment, { date, changedAt }: Listing): Date {
  return new Date(clock.now() - (date - changedAt))
}

/**
 * An unfinished upload as it is, for reading: nothing is written, and another process may have it.
 *
 * @returns `undefined` without its first record.
 * @throws UploadError `storage_error`, S3Error.
 */
export async function viewLive(environment: Environment, id: string): Promise<S3Upload | undefined> {
  const folder = liveFolder(environment.prefix, id)
  const listing = await list(environment, folder)
  if (!exists(listing)) return undefined
  const { state, pieces } = await counted(environment, folder, listing)
  const term = new Term(environment.port, folder, listing.term, listing.date)
  const { names } = listing
  return new S3Upload(environment, { state, term, pieces, names, changedAt: changedAt(environment, listing) })
}

/** An upload that does not exist yet. */
export interface Unborn {
  readonly upload: S3Upload
  /** The claim of its term. Once the upload exists, it protects nothing, and would only keep others waiting. */
  readonly claim: string
}

/**
 * Begins a term of an upload that does not exist: it does not before its end, or its first record, is written. What an
 * earlier try has left does not count in this term.
 *
 * @throws UploadError `storage_error` if the upload exists; S3Error.
 */
export async function beginUnborn(environment: Environment, state: LiveState, changedAt: Date): Promise<Unborn> {
  const { port, prefix, node, keyOf } = environment
  const folder = liveFolder(prefix, state.record.id)
  for (;;) {
    const number = Math.max(1, (await list(environment, folder)).term) + 1
    const claim = await claimTerm(environment, folder, number, { node, token: newToken() })
    const listing = await list(environment, folder)
    if (exists(listing)) throw new UploadError('storage_error', 'There is an upload with this id.')
    if (claim === undefined || listing.term !== number) continue
    const earlier = listing.manifests.length > 0 ? await lastState(environment, folder, listing) : undefined
    await port.put(`${folder}${manifestName(number)}`, formatManifest({ state, pieces: [] }))
    const term = new Term(port, folder, number, claim.date)
    const useless = listing.pieces.map(({ piece }) => piece.name)
    removeOld(environment, folder, term, listing, useless)
    if (earlier?.state.multipart !== undefined) await port.abort(keyOf(earlier.state.record), earlier.state.multipart)
    const names = [...listing.names, manifestName(number)]
    const upload = new S3Upload(environment, { state, term, pieces: [], names, changedAt })
    return { upload, claim: `${folder}${claimName(number)}` }
  }
}

/** Whether the first record is there: it stays until the end. */
function exists({ records }: Listing): boolean {
  return records.get(1)?.includes(0) === true
}

/** Waits until the newest claim is old enough, if another process has it. @returns false if it has waited. */
async function isOld(
  { port, node, clock }: Environment,
  folder: string,
  { term, claimedAt, date, pieces }: Listing,
): Promise<boolean> {
  const left = claimedAt === undefined ? 0 : claimedAt + TENURE - date
  if (left <= 0) return true
  const { found } = await port.get(`${folder}${term === 1 ? recordName(1, 0) : claimName(term)}`)
  if (found !== undefined && parseClaim(found.body).node === node) return true
  // It is only created. A balancer that hashes paths sends what follows to any node, and its creator is done with it.
  const isOnlyCreated = term === 1 && pieces.length === 0
  if (found !== undefined && isOnlyCreated && !isDerived(parseLiveState(found.body).record)) return true
  await clock.sleep(left)
  return false
}

/** @returns when S3 had the claim; `undefined` if another process has the term. */
async function claimTerm(
  environment: Environment,
  folder: string,
  number: number,
  owner: ClaimOwner,
): Promise<Answered | undefined> {
  const key = `${folder}${claimName(number)}`
  try {
    return await environment.port.put(key, formatClaim(owner), { ifAbsent: true })
  } catch (error) {
    if (!(error instanceof S3Error) || error.outcome !== 'exists') throw error
    const { found, date } = await environment.port.get(key)
    return found !== undefined && parseClaim(found.body).token === owner.token ? { date } : undefined
  }
}

export async function list({ port }: Environment, folder: string): Promise<Listing> {
  const pieces: ListedPiece[] = []
  const names: string[] = []
  const records = new Map<number, number[]>()
  const manifests: number[] = []
  let term = 0
  let claimedAt: number | undefined
  let changedAt = 0
  let date = 0
  const noteTerm = (found: number, { lastModified }: ListedObject, isClaim: boolean): void => {
    if (found > term) claimedAt = undefined
    term = Math.max(term, found)
    if (isClaim && found === term) claimedAt = lastModified
  }
  for (let after: string | undefined; ; ) {
    const page = await port.list(folder, { after })
    date = page.date
    for (const object of page.objects) {
      const text = object.key.slice(folder.length)
      const name = parseName(text)
      if (name?.kind !== 'claim') names.push(text)
      if (name === undefined || name.kind === 'joined') continue
      if (name.kind === 'claim') noteTerm(name.term, object, true)
      else if (name.kind === 'manifest') {
        manifests.push(name.term)
        noteTerm(name.term, object, false)
      } else if (name.kind === 'record') {
        records.set(name.term, [...(records.get(name.term) ?? []), name.sequence])
        noteTerm(name.term, object, name.term === 1 && name.sequence === 0)
        changedAt = Math.max(changedAt, object.lastModified)
      } else {
        pieces.push({ piece: name.piece, size: object.size })
        changedAt = Math.max(changedAt, object.lastModified)
      }
    }
    if (page.next === undefined) return { date, pieces, names, records, manifests, term, claimedAt, changedAt }
    after = page.next
  }
}

/** The state of an upload that is not opened: what its last writer has kept. */
export async function currentState(environment: Environment, id: string): Promise<LiveState | undefined> {
  return (await keptState(environment, id))?.state
}

/**
 * The same, and whether it counts: the writer of a term that another one follows may have kept it in vain.
 *
 * @throws S3Error, also when the upload ends meanwhile.
 */
export async function keptState(
  environment: Environment,
  id: string,
): Promise<{ readonly state: LiveState; counts(): Promise<boolean> } | undefined> {
  const { port, prefix } = environment
  const folder = liveFolder(prefix, id)
  const listing = await list(environment, folder)
  if (!exists(listing)) return undefined
  const { term, state } = await lastState(environment, folder, listing)
  const counts = async (): Promise<boolean> =>
    listing.term === term && (await port.get(`${folder}${claimName(term + 1)}`)).found === undefined
  return { state, counts }
}

/** The highest term that has a manifest, or 1, with that manifest, and the state of the upload. */
async function lastState(environment: Environment, folder: string, listing: Listing) {
  const term = Math.max(1, ...listing.manifests)
  const manifest = term === 1 ? undefined : parseManifest(await read(environment, `${folder}${manifestName(term)}`))
  return { term, manifest, state: await stateOf(environment, folder, listing, term, manifest?.state) }
}

/** The last record of a term, or that of its manifest. */
async function stateOf(
  environment: Environment,
  folder: string,
  { records }: Listing,
  term: number,
  initial: LiveState | undefined,
): Promise<LiveState> {
  const last = Math.max(-1, ...(records.get(term) ?? []))
  if (last >= 0) return parseLiveState(await read(environment, `${folder}${recordName(term, last)}`))
  if (initial === undefined) throw new UploadError('storage_error', 'The record of this upload is missing.')
  return initial
}

async function read({ port }: Environment, key: string): Promise<Buffer> {
  const { found } = await port.get(key)
  if (found === undefined) throw new S3Error('unknown', `${key} is missing.`)
  return found.body
}

/**
 * Deletes what the manifest of the new term replaces, unless a newer term has begun: its opener may have listed before
 * that manifest was there, and count other pieces. The first record stays: it says that the id exists.
 */
function removeOld(
  { port }: Environment,
  folder: string,
  term: Term,
  { records, manifests }: Listing,
  pieces: readonly string[],
): void {
  const old = [...records].flatMap(([term, sequences]) => sequences.map((sequence) => recordName(term, sequence)))
  const names = [...old.filter((name) => name !== recordName(1, 0)), ...manifests.map(manifestName), ...pieces]
  if (names.length === 0) return
  const keys = names.map((name) => `${folder}${name}`)
  term
    .check()
    .then(() => port.remove(keys))
    .catch(() => undefined)
}

/**
 * Writes the first record of an upload, which claims its first term.
 *
 * @returns when S3 had it.
 * @throws UploadError `moved` if there is such an upload; S3Error.
 */
export async function createLive(environment: Environment, state: LiveState, owner: ClaimOwner): Promise<Answered> {
  const { port, prefix } = environment
  const { id } = state.record
  const key = `${liveFolder(prefix, id)}${recordName(1, 0)}`
  let written: Answered
  try {
    written = await port.put(key, formatLiveState(state, owner), { ifAbsent: true })
  } catch (error) {
    if (!(error instanceof S3Error) || error.outcome !== 'exists') throw error
    const { found, date } = await port.get(key)
    if (found === undefined || parseClaim(found.body).token !== owner.token) throw moved()
    written = { date }
  }
  // One that has ended has no first record any more.
  if (isDerived(state.record) && (await readDone(environment, id)) !== undefined) {
    await port.remove([key])
    throw moved()
  }
  return written
}
