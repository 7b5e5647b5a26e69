import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { lengthOf, type Range } from '../core/ranges.ts'
import type { LifecycleRule, Probe } from './probe.ts'
import { retried } from './retrying-port.ts'
import { S3Error } from './s3-error.ts'
import type { S3Port } from './s3-port.ts'

/** Something that S3, or the bucket, does not do as the store needs it. */
export interface Finding {
  /** Whether uploads would not be safe. */
  readonly isFatal: boolean
  readonly sentence: string
}

/** The least size of a part in the middle of a file. */
const PART = 5 * 2 ** 20

/** Ranges of one object, as parts of another. */
const PARTS: readonly Range[] = [
  { start: 0, end: PART },
  { start: 0, end: PART },
  { start: 1, end: 100 },
]

/** Conditional puts of one object at a time, and how often. An engine may let two of them win only now and then. */
const RIVALS = 20
const ROUNDS = 5
const RIVAL_SIZE = 65_536

/** How long S3 has until its clock must have advanced by a second, in milliseconds. */
const TICK = 1_200

/**
 * Tries out what the store relies on: consistent listings, conditional puts, verified checksums, composition of parts.
 * It takes some seconds, and needs about 20 MiB of memory. What it stores, it deletes again.
 *
 * @param prefix of everything but files.
 * @param filePrefix what the keys of all files begin with.
 */
export async function selfTest(
  port: S3Port,
  probe: Probe,
  prefix: string,
  filePrefix: string,
): Promise<readonly Finding[]> {
  const folder = `${prefix}self-test/${randomBytes(8).toString('hex')}/`
  const sentences: string[] = []
  const begun = performance.now()
  try {
    const { date } = await port.list(folder)
    sentences.push(...(await checkObjects(port, folder)))
    sentences.push(...(await checkConditions(port, folder)))
    sentences.push(...(await checkComposition(port, folder)))
    sentences.push(...(await checkChecksums(port, probe, folder)))
    sentences.push(...(await checkClock(port, folder, date, begun)))
  } catch (error) {
    if (!(error instanceof S3Error)) throw error
    sentences.push(`The self-test could not be completed. ${error.message}`)
  } finally {
    await cleanUp(port, folder).catch(() => undefined)
  }
  const findings = sentences.map(fatal)
  return findings.length > 0 ? findings : checkSettings(probe, prefix, filePrefix)
}

function fatal(sentence: string): Finding {
  return { isFatal: true, sentence }
}

function warning(sentence: string): Finding {
  return { isFatal: false, sentence }
}

/** @returns sentences of what is wrong, like all checks. @throws S3Error. */
async function checkObjects(port: S3Port, folder: string): Promise<string[]> {
  const key = `${folder}object`
  for (const body of ['first', 'second body']) {
    await port.put(key, Buffer.from(body))
    const { found } = await port.get(key)
    const { objects } = await port.list(folder)
    if (found?.body.toString() !== body || objects.length !== 1 || objects[0]?.size !== body.length)
      return ['An object is not found, or listed, as soon as it is stored: S3 must be strongly consistent.']
  }
  await port.remove([key])
  const isThere = (await port.get(key)).found !== undefined || (await port.list(folder)).objects.length > 0
  return isThere ? ['A deleted object is still there: the bucket must allow deletion (no object lock).'] : []
}

async function checkConditions(port: S3Port, folder: string): Promise<string[]> {
  // The puts are to arrive together: their connections are opened before.
  await Promise.all(Array.from({ length: RIVALS }, () => port.get(`${folder}absent`)))
  for (let round = 0; round < ROUNDS; round += 1) {
    const key = `${folder}rivals-${round}`
    const puts = Array.from({ length: RIVALS }, (_, i) => putOnce(port, key, Buffer.alloc(RIVAL_SIZE, i + 1)))
    const results = await Promise.all(puts)
    const { found } = await port.get(key)
    const winners = results.filter((result) => result !== undefined)
    // After a retry, the winner does not know that it has won.
    const isOneOfThem = found?.body.length === RIVAL_SIZE && (winners[0] ?? found.body).equals(found.body)
    if (winners.length > 1 || !isOneOfThem)
      return ['Several writers created one object: S3 must support "If-None-Match: *" for PutObject, atomically.']
  }
  return []
}

/** @returns the body if it was stored, `undefined` if there is an object. @throws S3Error. */
async function putOnce(port: S3Port, key: string, body: Buffer): Promise<Buffer | undefined> {
  try {
    await port.put(key, body, { ifAbsent: true })
    return body
  } catch (error) {
    if (error instanceof S3Error && error.outcome === 'exists') return undefined
    throw error
  }
}

async function checkComposition(port: S3Port, folder: string): Promise<string[]> {
  const [from, key] = [`${folder}source`, `${folder}composed`]
  const bytes = randomBytes(PART)
  await port.put(from, bytes)
  const uploadId = await port.createMultipart(key)
  try {
    const etags: string[] = []
    for (const [i, range] of PARTS.entries())
      etags.push(await port.copyPart({ key, uploadId, number: i + 1, from, range }))
    await port.complete(key, uploadId, etags)
  } catch (error) {
    await port.abort(key, uploadId).catch(() => undefined)
    throw error
  }
  let position = 0
  for (const range of PARTS) {
    const end = position + lengthOf(range)
    let expected = range.start
    for await (const chunk of port.read(key, { start: position, end })) {
      if (!chunk.equals(bytes.subarray(expected, expected + chunk.length)))
        return ['An object that was composed by UploadPartCopy has other bytes than its parts.']
      expected += chunk.length
    }
    position = end
  }
  return []
}

async function checkChecksums(port: S3Port, probe: Probe, folder: string): Promise<string[]> {
  const sentences: string[] = []
  const accepted = await retried(() => probe.putWrong(`${folder}wrong`)).then(
    () => true,
    (error: unknown) => {
      if (error instanceof S3Error && error.outcome === 'refused') return false
      throw error
    },
  )
  if (accepted || (await port.head(`${folder}wrong`)).found !== undefined)
    sentences.push('A body with a wrong checksum was stored: S3 must verify x-amz-checksum-crc32.')
  await probe.putCut(`${folder}cut`)
  if ((await port.head(`${folder}cut`)).found !== undefined)
    sentences.push('A body that broke off was stored: S3 must publish only whole objects.')
  return sentences
}

/** @param date of the first answer. @param begun by the clock of `performance`, in milliseconds. */
async function checkClock(port: S3Port, folder: string, date: number, begun: number): Promise<string[]> {
  await sleep(Math.max(0, begun + TICK - performance.now()))
  const last = await port.get(`${folder}absent`)
  return last.date > date ? [] : ['The date of answers does not advance: something answers in the place of S3.']
}

/** Deletes what the checks have stored. */
async function cleanUp(port: S3Port, folder: string): Promise<void> {
  const { objects } = await port.list(folder)
  if (objects.length > 0) await port.remove(objects.map(({ key }) => key))
}

/** What only the settings of the bucket tell: whether it keeps what is deleted, and deletes what is kept. */
export async function checkSettings(probe: Probe, prefix: string, filePrefix: string): Promise<readonly Finding[]> {
  const [hasVersions, rules] = await Promise.all([
    known(retried(() => probe.hasVersions())),
    known(retried(() => probe.lifecycleRules())),
  ])
  const findings: Finding[] = []
  if (hasVersions === undefined)
    findings.push(warning('Whether the bucket keeps versions could not be read: deleted objects may still take space.'))
  if (hasVersions === true && rules === undefined)
    findings.push(
      warning('The bucket keeps versions, and its lifecycle rules could not be read: old ones must expire.'),
    )
  if (rules === undefined) return findings
  const keep = [prefix, filePrefix].filter((place) => !rules.some((rule) => clears(rule, place)))
  if (hasVersions === true && keep.length > 0)
    findings.push(
      fatal(`The bucket keeps versions: a lifecycle rule must expire noncurrent ones below ${named(keep)}.`),
    )
  const harmful = rules.some((rule) => rule.expires && overlaps(rule.prefix, prefix))
  if (harmful)
    findings.push(warning(`A lifecycle rule expires objects below ${named([prefix])}: uploads would be lost.`))
  return findings
}

async function known<T>(reading: Promise<T>): Promise<T | undefined> {
  return reading.catch((error: unknown) => {
    if (error instanceof S3Error) return undefined
    throw error
  })
}

/** Whether old versions of all objects below a place expire. */
function clears({ prefix, isForAll, expiresOldVersions }: LifecycleRule, place: string): boolean {
  return isForAll && expiresOldVersions && place.startsWith(prefix)
}

function overlaps(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one)
}

function named(places: readonly string[]): string {
  return places.map((place) => `"${place}"`).join(' and ')
}
