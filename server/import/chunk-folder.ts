import type { Stats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import { safeName } from '../core/safe-name.ts'
import type { Found } from './found.ts'
import type { Task } from './task-list.ts'

/** Maximum numbers of missing chunks in a sentence. */
const MAX_NAMED = 20

interface Chunk {
  readonly file: string
  readonly stats: Stats
}

/** How the old chunk endpoint names the file of a chunk, counted from 0. */
export const DEFAULT_PATTERN = '{task_id}{chunk}'

/**
 * The files of the old chunk endpoint. Names alone do not show where a task ends and a number begins, so only listed
 * tasks are found.
 *
 * @param pattern the name of a chunk's file, with `{task_id}` and `{chunk}`; it may have directories.
 * @param idOf the id of a task's upload.
 * @returns the uploads of whole tasks, a problem for every other task, and the files that belong to none.
 * @throws the OS error.
 */
export async function* chunkedUploads(
  folder: string,
  tasks: readonly Task[],
  pattern: string,
  idOf: (taskId: string) => string,
): AsyncGenerator<Found> {
  const names = await filesIn(folder, pattern.includes('/'))
  const nameAt = (task: Task, chunk: number): string => chunkName(pattern, task, chunk)
  const claims = claimsOf(tasks, names, nameAt)
  for (const task of tasks) {
    const found = await readTask(folder, task, claims, nameAt, idOf)
    yield typeof found === 'string' ? { kind: 'problem', name: nameOf(task), sentence: found } : found
  }
  for (const name of names) {
    if (!claims.has(name)) yield { kind: 'stray', name }
  }
}

type NameAt = (task: Task, chunk: number) => string

/** The names of regular files, below the folder if `recursive`. */
async function filesIn(folder: string, recursive: boolean): Promise<ReadonlySet<string>> {
  const entries = await readdir(folder, { recursive, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return new Set(files.map(({ parentPath, name }) => path.relative(folder, path.join(parentPath, name))))
}

/** The tasks of each file. */
function claimsOf(
  tasks: readonly Task[],
  names: ReadonlySet<string>,
  nameAt: NameAt,
): ReadonlyMap<string, readonly Task[]> {
  const claims = new Map<string, Task[]>()
  for (const task of tasks) {
    for (let chunk = 0; chunk < task.chunks; chunk++) {
      const name = nameAt(task, chunk)
      if (names.has(name)) claims.set(name, [...(claims.get(name) ?? []), task])
    }
  }
  return claims
}

/** @returns a sentence if the task cannot be imported. @throws the OS error. */
async function readTask(
  folder: string,
  task: Task,
  claims: ReadonlyMap<string, readonly Task[]>,
  nameAt: NameAt,
  idOf: (taskId: string) => string,
): Promise<Found | string> {
  const chunks: Chunk[] = []
  const missing: number[] = []
  for (let chunk = 0; chunk < task.chunks; chunk++) {
    const name = nameAt(task, chunk)
    const [, other] = claims.get(name) ?? []
    if (other !== undefined) return `The file ${name} belongs to another task of the list, too.`
    const file = path.join(folder, name)
    if (claims.has(name)) chunks.push({ file, stats: await lstat(file) })
    else missing.push(chunk)
  }
  if (missing.length > 0) return `${chunks.length} of ${task.chunks} chunks found. Missing: ${chunksNamed(missing)}.`
  const size = chunks.reduce((sum, { stats }) => sum + stats.size, 0)
  return problemOf(task, chunks, size) ?? uploadOf(task, chunks, size, idOf(task.taskId))
}

/** A chunk that is shorter than it must be: its server was interrupted while it wrote it. */
function problemOf({ chunks: count, size: known }: Task, chunks: readonly Chunk[], size: number): string | undefined {
  const full = chunks[0]?.stats.size ?? 0
  for (const [chunk, { stats }] of chunks.entries()) {
    const isLast = chunk === count - 1
    if (isLast ? stats.size > full : stats.size !== full) {
      return `Chunk ${chunk} has ${stats.size} bytes, and chunk 0 has ${full}.`
    }
  }
  if (known !== undefined && known !== size) return `Its chunks have ${size} bytes instead of ${known}.`
  return undefined
}

function uploadOf(task: Task, chunks: readonly Chunk[], size: number, id: string): Found {
  const last = Math.max(...chunks.map(({ stats }) => stats.mtimeMs))
  const record = {
    id,
    length: size,
    metadata: { filename: task.name, task_id: task.taskId },
    fileName: safeName(task.name),
    createdAt: new Date(last).toISOString(),
  }
  return { kind: 'upload', name: nameOf(task), record, files: chunks.map(({ file }) => file), size }
}

function chunkName(pattern: string, { taskId }: Task, chunk: number): string {
  return pattern.replaceAll(/\{(task_id|chunk)\}/g, (_, field) => (field === 'chunk' ? String(chunk) : taskId))
}

function nameOf({ taskId, name }: Task): string {
  return `${taskId} (${name})`
}

/** `chunk 2`, `chunks 2, 5-9`: at most `MAX_NAMED` numbers or ranges. */
function chunksNamed(numbers: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const number of numbers) {
    const last = ranges.at(-1)
    if (last !== undefined && number === last[1] + 1) last[1] = number
    else ranges.push([number, number])
  }
  const named = ranges.slice(0, MAX_NAMED).map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
  const noun = numbers.length === 1 ? 'chunk' : 'chunks'
  return `${noun} ${named.join(', ')}${ranges.length > MAX_NAMED ? ', and more' : ''}`
}
