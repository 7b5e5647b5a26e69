import { createHash, createHmac } from 'node:crypto'
import { UploadError } from '../server/core/errors.ts'
import { type Fields, oneValue } from './fields.ts'
import { knownDate } from './known-date.ts'

/** How ids are made of what pages say. */
export interface IdentityRules {
  readonly secret: string
  /** The fields that say together which file a chunk belongs to. */
  readonly names: readonly string[]
}

/** Whose uploads are meant: those of a visitor, or without a cookie those of the task alone. */
export type Whose = string | undefined

/** The longest task id, in bytes: `/check` repeats it for each chunk. */
export const LONGEST_TASK_ID = 512

/** A cache key longer than this is replaced by its digest. Characters. */
const LONGEST_KEY = 512

/** Fields that have a place of their own in the rule; any other name in `LEGACY_IDENTITY` tells files apart as it is. */
export const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  'task_id',
  'id',
  'name',
  'size',
  'lastModifiedDate',
  'chunks',
])

/** The uploads of one task: their ids begin with `group` and a dot, those of one file name also with `named(name)` and a dot. */
export interface Task {
  readonly group: string
  readonly named: (name: string | undefined) => string
}

/** What a request says of its file. */
export interface FileFields {
  readonly fields: Fields
  readonly name: string | undefined
  /** Whether the name is that of the part, which the version before did not read. */
  readonly isPartName?: boolean
}

/** Who sends a file, and under which ids it is kept. */
export interface Identity {
  readonly group: string
  /** What the ids of all files of this name begin with. */
  readonly file: string
  /**
   * One choice of a file in one page, as a digest: what its `id` and its date are, or its `landfall_file`. It changes when the file is
   * chosen again.
   */
  readonly sender: string
  /** The id of the first upload of this sender. */
  readonly firstId: string
  /** Another id for it, where the first is taken. */
  readonly idOf: (number: number) => string
  /** A digest of the further fields that tell files apart; `undefined` if there are none. */
  readonly further: string | undefined
  /** The last parts of the ids that the version before could have given an upload of this sender. */
  readonly formerEndings: () => ReadonlySet<string>
}

/**
 * The task of a page. The address stands in for a `task_id` that is missing, so that strangers never share one.
 *
 * @throws UploadError `duplicate_field`, `bad_field` for a task id that is too long.
 */
export function taskOf(fields: Fields, whose: Whose, address: string, rules: IdentityRules): Task {
  const group = digest(rules.secret, 'task', taskParts(fields, whose, address)).slice(0, 20)
  return {
    group,
    named: (name) => `${group}.${digest(rules.secret, 'name', [group, name]).slice(0, 16)}`,
  }
}

/**
 * The identity of the file that a request means. Values are texts: `decodeText` loses nothing, so different bytes stay different, and a
 * name in GBK is the same name in UTF-8. An absent field is not an empty one, but absent `chunks` are 1.
 *
 * @throws UploadError `duplicate_field`, `bad_field`.
 */
export function identityOf(asked: FileFields, whose: Whose, address: string, rules: IdentityRules): Identity {
  const { fields, name } = asked
  const task = taskOf(fields, whose, address, rules)
  const file = task.named(name)
  const start = taskParts(fields, whose, address)
  const valuesOf = (names: readonly string[]): (string | undefined)[] => names.map((field) => rawOf(asked, field))
  const mark = oneValue(fields, 'landfall_file')
  const endingOf = (names: readonly string[], number: number): string =>
    digest(rules.secret, 'upload', [...start, ...valuesOf(names), String(number)]).slice(0, 32)
  const marked = rules.names.filter((field) => field !== 'id' && field !== 'lastModifiedDate')
  const idOf = (number: number): string => {
    if (mark === undefined) return `${file}.${endingOf(rules.names, number)}`
    const parts = [...start, ...valuesOf(marked), mark, String(number)]
    return `${file}.${digest(rules.secret, 'marked', parts).slice(0, 32)}`
  }
  const firstId = idOf(0)
  const further = rules.names.filter((field) => !KNOWN_FIELDS.has(field))
  return {
    group: task.group,
    file,
    sender: firstId.slice(file.length + 1),
    firstId,
    idOf,
    further: further.length === 0 ? undefined : digest(rules.secret, 'further', valuesOf(further)).slice(0, 16),
    formerEndings: () => {
      const withoutId = rules.names.filter((field) => field !== 'id')
      const numbers = Array.from({ length: FORMER_NUMBERS }, (_, number) => number)
      return new Set([rules.names, withoutId].flatMap((names) => numbers.map((number) => endingOf(names, number))))
    },
  }
}

/** Up to which number ids of the version before are recognized: it counted how often a file had been deleted. */
const FORMER_NUMBERS = 100

/** The file of a request, as it may have been begun by its caller. */
export interface Identities {
  /** As one of the caller. */
  readonly own: Identity
  /** As one that was begun without a cookie; `undefined` for a caller without one. */
  readonly open: Identity | undefined
  /** As one without a name that the version before began. */
  readonly nameless: Identity | undefined
}

/** Both identities of a file, computed when they are asked for first. @throws UploadError like `identityOf`, then. */
export function identitiesOf(
  file: FileFields,
  { whose }: { readonly whose: Whose },
  address: string,
  rules: IdentityRules,
): () => Identities {
  let known: Identities | undefined
  return () => {
    known ??= identitiesFor(file, whose, address, rules)
    return known
  }
}

function identitiesFor(file: FileFields, whose: Whose, address: string, rules: IdentityRules): Identities {
  const own = identityOf(file, whose, address, rules)
  const open = whose === undefined ? undefined : identityOf(file, undefined, address, rules)
  if (!file.isPartName) return { own, open, nameless: undefined }
  const former = identityOf({ fields: file.fields, name: undefined }, undefined, address, rules)
  return { own, open, nameless: { ...(open ?? own), file: former.file, formerEndings: former.formerEndings } }
}

/**
 * The date of the file, where the text of `lastModifiedDate` tells it, in milliseconds since 1970.
 *
 * @throws UploadError `duplicate_field`.
 */
export function modifiedOf(fields: Fields): number | undefined {
  return knownDate(oneValue(fields, 'lastModifiedDate'))
}

/** A short text that is equal for two requests if all is equal that an identity is made of. */
export function cacheKeyOf(asked: FileFields, whose: Whose, address: string, { names }: IdentityRules): string {
  const values = ['task_id', 'name', 'landfall_file', ...names].map((field) => rawOf(asked, field))
  const parts = [whose, whose === undefined ? address : undefined, ...values]
  const key = parts.map((part) => (part === undefined ? '-' : `${part.length}:${part}`)).join('|')
  return key.length > LONGEST_KEY ? createHash('sha256').update(key).digest('hex') : key
}

function rawOf({ fields, name }: FileFields, field: string): string | undefined {
  if (field === 'name') return name
  return oneValue(fields, field) ?? (field === 'chunks' ? '1' : undefined)
}

function taskParts(fields: Fields, whose: Whose, address: string): (string | undefined)[] {
  const taskId = oneValue(fields, 'task_id')
  if (taskId !== undefined && Buffer.byteLength(taskId) > LONGEST_TASK_ID) {
    throw new UploadError('bad_field', `The field "task_id" is longer than ${LONGEST_TASK_ID} bytes.`)
  }
  return [whose ?? '', taskId, taskId === undefined && whose === undefined ? address : undefined]
}

/** A keyed digest of parts, each with its length in front, so that no two lists of parts are written alike. */
export function digest(secret: string, purpose: string, parts: readonly (string | undefined)[]): string {
  const hmac = createHmac('sha256', secret).update(purpose)
  for (const part of parts) hmac.update(part === undefined ? '|-' : `|${Buffer.byteLength(part)}:${part}`)
  return hmac.digest('hex')
}
