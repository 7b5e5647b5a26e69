import { createHmac } from 'node:crypto'
import { type Fields, oneValue } from './fields.ts'

/** How ids are made of what pages say. */
export interface IdentityRules {
  readonly secret: string
  /** The fields that say together which file a chunk belongs to. */
  readonly names: readonly string[]
}

/** Whose file it is, and which one: the ids of its uploads, one per generation. */
export interface Identity {
  /** What the ids begin with. */
  readonly group: string
  readonly idOf: (generation: number) => string
}

/** The uploads of one task: their ids begin with `group`, those of one file name also with `named(name)`. */
export interface Task {
  readonly group: string
  readonly named: (name: string | undefined) => string
}

/**
 * The task of a page, whatever the rules name. Without a `task_id` the client's address stands for it, so that strangers never
 * share one.
 *
 * @throws UploadError `duplicate_field`.
 */
export function taskOf(fields: Fields, address: string, rules: IdentityRules): Task {
  const group = digest(rules.secret, 'task', taskParts(fields, address)).slice(0, 20)
  return {
    group,
    named: (name) => `${group}.${digest(rules.secret, 'name', [group, name]).slice(0, 16)}`,
  }
}

/**
 * The identity of the file that a chunk belongs to. Texts are taken as they came; an absent field is not an empty one, but
 * absent `chunks` are 1.
 *
 * @throws UploadError `duplicate_field`.
 */
export function identityOf(fields: Fields, address: string, rules: IdentityRules): Identity {
  const values = rules.names.map((name) => oneValue(fields, name) ?? (name === 'chunks' ? '1' : undefined))
  const task = taskOf(fields, address, rules)
  const file = task.named(oneValue(fields, 'name'))
  const parts = [...taskParts(fields, address), ...values]
  return {
    group: task.group,
    idOf: (generation) => `${file}.${digest(rules.secret, 'upload', [...parts, String(generation)]).slice(0, 32)}`,
  }
}

function taskParts(fields: Fields, address: string): (string | undefined)[] {
  const taskId = oneValue(fields, 'task_id')
  return ['', taskId, taskId === undefined ? address : undefined]
}

/** A keyed digest of parts, each with its length in front, so that no two lists of parts are written alike. */
export function digest(secret: string, purpose: string, parts: readonly (string | undefined)[]): string {
  const hmac = createHmac('sha256', secret).update(purpose)
  for (const part of parts) hmac.update(part === undefined ? '|-' : `|${Buffer.byteLength(part)}:${part}`)
  return hmac.digest('hex')
}
