import { createHash } from 'node:crypto'
import { UploadError } from '../server/core/errors.ts'
import { keyedDigest } from '../server/core/keyed-digest.ts'
import type { Caller, Owner } from './caller.ts'
import { type Fields, oneValue } from './fields.ts'

/** How upload ids are derived from the fields of a page. */
export interface IdentityRules {
  readonly secret: string
  /** The name of this node, with which its ids begin; empty if it is alone. */
  readonly node: string
  /** The fields that together identify the file of a chunk. */
  readonly names: readonly string[]
  /** Whether others may guess a task id: then the client address also tells apart clients without an owner. */
  readonly guessable?: boolean | undefined
}

/** What a request says about its file, apart from the identity fields. */
export interface FileFacts {
  /** The size that the page reports. Bytes. */
  readonly size: number
  /** `undefined` for a check without it. */
  readonly chunks: number | undefined
  /** The text of `lastModifiedDate`. */
  readonly date: string | undefined
}

/** A request for a file. */
export interface FileRequest {
  readonly caller: Caller
  /** Computed on the first call, which throws like `identityOf`. */
  readonly identities: () => Identities
  readonly facts: FileFacts
}

/** Maximum length of a task id, in bytes: `/check` repeats it for each chunk. */
export const LONGEST_TASK_ID = 512

/** Longer cache keys are replaced by their digest. Characters. */
const LONGEST_KEY = 512

/** Fields with a role of their own; any other name in `LEGACY_IDENTITY` only tells files apart. */
export const FILE_FIELDS: ReadonlySet<string> = new Set(['task_id', 'id', 'name', 'size', 'lastModifiedDate', 'chunks'])

/** The uploads of a task: their ids begin with `group` and a dot; those of a file name with `named(name)` and a dot. */
export interface Task {
  readonly group: string
  readonly named: (name: string | undefined) => string
}

/** What a request says about its file. */
export interface FileFields {
  readonly fields: Fields
  readonly name: string | undefined
  /** Whether the name is the file name of the part, which the previous version ignored. */
  readonly isPartName?: boolean
}

/** The sender of a file, and the ids of its uploads. */
export interface Identity {
  readonly group: string
  /** The prefix of all upload ids of this file name. */
  readonly file: string
  /**
   * One selection of a file in one page: a digest of its `id` and its date, or of its `landfall_file`. Selecting the
   * file again changes it.
   */
  readonly sender: string
  /** The id of the first upload of this sender. */
  readonly firstId: string
  /** Another id, for when the first is taken. */
  readonly idOf: (number: number) => string
  /** A digest of the custom fields that tell files apart; `undefined` if there are none. */
  readonly further: string | undefined
  /** The id suffixes that the previous version could have given to an upload of this sender. */
  readonly formerEndings: () => ReadonlySet<string>
}

/**
 * The task of a page. The client address replaces a missing `task_id`, so that different clients never share one.
 *
 * @throws UploadError `duplicate_field`, `bad_field` for a task id that is too long.
 */
export function taskOf(fields: Fields, owner: Owner, address: string, rules: IdentityRules): Task {
  const task = keyedDigest(rules.secret, 'task', taskParts(fields, owner, address, rules)).slice(0, 20)
  const group = rules.node === '' ? task : `${rules.node}-${task}`
  return {
    group,
    named: (name) => `${group}.${keyedDigest(rules.secret, 'name', [group, name]).slice(0, 16)}`,
  }
}

/**
 * The identity of the file of a request. It uses decoded text: `decodeText` is lossless, so different bytes stay
 * different, and a name is the same in GBK and in UTF-8. An absent field differs from an empty one, but absent `chunks`
 * are 1.
 *
 * @throws UploadError `duplicate_field`, `bad_field`.
 */
export function identityOf(asked: FileFields, owner: Owner, address: string, rules: IdentityRules): Identity {
  const { fields, name } = asked
  const task = taskOf(fields, owner, address, rules)
  const file = task.named(name)
  const start = taskParts(fields, owner, address, rules)
  const valuesOf = (names: readonly string[]): (string | undefined)[] => names.map((field) => rawOf(asked, field))
  const mark = oneValue(fields, 'landfall_file')
  const endingOf = (names: readonly string[], number: number): string =>
    keyedDigest(rules.secret, 'upload', [...start, ...valuesOf(names), String(number)]).slice(0, 32)
  const marked = rules.names.filter((field) => field !== 'id' && field !== 'lastModifiedDate')
  const idOf = (number: number): string => {
    if (mark === undefined) return `${file}.${endingOf(rules.names, number)}`
    const parts = [...start, ...valuesOf(marked), mark, String(number)]
    return `${file}.${keyedDigest(rules.secret, 'marked', parts).slice(0, 32)}`
  }
  const firstId = idOf(0)
  const further = rules.names.filter((field) => !FILE_FIELDS.has(field))
  return {
    group: task.group,
    file,
    sender: firstId.slice(file.length + 1),
    firstId,
    idOf,
    further: further.length === 0 ? undefined : keyedDigest(rules.secret, 'further', valuesOf(further)).slice(0, 16),
    formerEndings: () => {
      const withoutId = rules.names.filter((field) => field !== 'id')
      const numbers = Array.from({ length: FORMER_NUMBERS }, (_, number) => number)
      return new Set([rules.names, withoutId].flatMap((names) => numbers.map((number) => endingOf(names, number))))
    },
  }
}

/** How many ids of the previous version are recognized: it counted the deletions of a file. */
const FORMER_NUMBERS = 100

/** The identities under which a file may have been begun. */
export interface Identities {
  /** As an upload of the caller. */
  readonly own: Identity
  /** As an upload begun without a cookie; only for visitors. */
  readonly open: Identity | undefined
  /** As a nameless upload of the previous version; never for a caller with credentials. */
  readonly nameless: Identity | undefined
}

/** Both identities of a file, computed on the first call. That call throws like `identityOf`. */
export function identitiesOf(
  file: FileFields,
  caller: Caller,
  address: string,
  rules: IdentityRules,
): () => Identities {
  let known: Identities | undefined
  return () => {
    known ??= identitiesFor(file, caller, address, rules)
    return known
  }
}

function identitiesFor(file: FileFields, caller: Caller, address: string, rules: IdentityRules): Identities {
  const { desk, owner } = caller
  const own = identityOf(file, owner, address, rules)
  if (desk.principal.owner !== undefined) return { own, open: undefined, nameless: undefined }
  const open = owner === undefined ? undefined : identityOf(file, undefined, address, rules)
  if (!file.isPartName) return { own, open, nameless: undefined }
  const former = identityOf({ fields: file.fields, name: undefined }, undefined, address, rules)
  return { own, open, nameless: { ...(open ?? own), file: former.file, formerEndings: former.formerEndings } }
}

/** A short key that is equal for two requests if all their identity fields are equal. */
export function cacheKeyOf(asked: FileFields, owner: Owner, address: string, { names }: IdentityRules): string {
  const values = ['task_id', 'name', 'landfall_file', ...names].map((field) => rawOf(asked, field))
  const parts = [owner, owner === undefined ? address : undefined, ...values]
  const key = parts.map((part) => (part === undefined ? '-' : `${part.length}:${part}`)).join('|')
  return key.length > LONGEST_KEY ? createHash('sha256').update(key).digest('hex') : key
}

function rawOf({ fields, name }: FileFields, field: string): string | undefined {
  if (field === 'name') return name
  return oneValue(fields, field) ?? (field === 'chunks' ? '1' : undefined)
}

function taskParts(
  fields: Fields,
  owner: Owner,
  address: string,
  { guessable = false }: IdentityRules,
): (string | undefined)[] {
  const taskId = oneValue(fields, 'task_id')
  if (taskId !== undefined && Buffer.byteLength(taskId) > LONGEST_TASK_ID) {
    throw new UploadError('bad_field', `The field "task_id" is longer than ${LONGEST_TASK_ID} bytes.`)
  }
  return [owner ?? '', taskId, owner === undefined && (taskId === undefined || guessable) ? address : undefined]
}
