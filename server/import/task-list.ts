import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { systemCode } from '../core/errors.ts'
import { parseCsv } from './csv.ts'

/** A file of the old chunk endpoint, as the operator knows it. */
export interface Task {
  readonly taskId: string
  /** The name of the file. */
  readonly name: string
  readonly chunks: number
  /** Bytes of the file, if they are known. */
  readonly size?: number | undefined
}

const integer = z.union([z.number(), z.string().regex(/^\d{1,15}$/)]).pipe(z.coerce.number<number | string>().int())

const task = z.object({
  task_id: z.string().min(1).max(200),
  name: z.string().min(1),
  chunks: integer.refine((count) => count >= 1 && count <= 1_000_000, 'expected 1 to 1,000,000'),
  // An empty field of CSV is no size.
  size: z.preprocess((value) => (value === '' ? undefined : value), integer.optional()),
})

/**
 * Reads a list of tasks: CSV with a header line, or a JSON array of objects, with the names `task_id`, `name`, `chunks`,
 * and, if it is known, `size`.
 *
 * @throws Error with a sentence for the operator.
 */
export async function readTaskList(file: string): Promise<readonly Task[]> {
  const text = (await textOf(file)).replace(/^\uFEFF/, '')
  const entries = text.trimStart().startsWith('[') ? entriesOfJson(text) : entriesOfCsv(text)
  const tasks = entries.map((entry, index) => taskOf(entry, index + 1))
  const known = new Set<string>()
  for (const { taskId } of tasks) {
    if (known.has(taskId)) throw new Error(`The list has the task ${JSON.stringify(taskId)} twice.`)
    known.add(taskId)
  }
  return tasks
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new Error(`The list ${file} cannot be read (${systemCode(cause)}).`, { cause })
  }
}

function entriesOfJson(text: string): readonly unknown[] {
  try {
    return z.array(z.unknown()).parse(JSON.parse(text))
  } catch (cause) {
    throw new Error('The list is not a JSON array.', { cause })
  }
}

function entriesOfCsv(text: string): readonly unknown[] {
  if (!/^"?task_id\b|^[^\r\n{]*,"?task_id\b/.test(text)) {
    throw new Error('The list must be a JSON array, or CSV that begins with a line like task_id,name,chunks.')
  }
  const [header = [], ...records] = parseCsv(text)
  return records.map((fields) => Object.fromEntries(header.map((name, index) => [name, fields[index]])))
}

function taskOf(entry: unknown, number: number): Task {
  const { data, error } = task.safeParse(entry)
  if (data !== undefined) {
    const { task_id: taskId, ...facts } = data
    return { taskId, ...facts }
  }
  const [issue] = error.issues
  throw new Error(`Entry ${number} of the list is not valid: ${issue?.path.join('.')}: ${issue?.message}.`)
}
