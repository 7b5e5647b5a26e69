import { z } from 'zod'
import { union } from '../server/core/ranges.ts'
import type { ChunkSet } from './which-upload.ts'

/** Maximum tasks in a history, files and senders distinguished per task, and runs of chunks ever listed. */
const MOST_TASKS = 200
const MOST_PER_TASK = 16
const MOST_RUNS = 64
/** Maximum text of a history. Characters. */
const LONGEST_TEXT = 16 * 1024

const count = z.number().int().nonnegative()
const leastByName = z.record(z.string(), count)
const task = z.object({
  bare: count.optional(),
  files: leastByName.optional(),
  senders: leastByName.optional(),
  listed: z.array(z.tuple([count, count])).optional(),
  refused: z.literal(true).optional(),
})
type TaskNotes = z.infer<typeof task>

const schema = z.array(z.tuple([z.string(), task]))

/**
 * What `/check` has listed to one visitor, or to the callers without a cookie in one task. It keeps the lowest chunk of
 * each answer: only a file with more chunks than that can have been skipped in part. Pure data, bounded.
 */
export class CheckHistory {
  /** By group, the most recent last. */
  readonly #tasks: Map<string, TaskNotes>

  private constructor(tasks: Map<string, TaskNotes>) {
    this.#tasks = tasks
  }

  /** @param text from `toString`; anything else yields an empty history. */
  static from(text: string | undefined): CheckHistory {
    try {
      return new CheckHistory(new Map(schema.parse(JSON.parse(text ?? '[]'))))
    } catch {
      return new CheckHistory(new Map())
    }
  }

  /** The groups of the tasks, most recent first. */
  get groups(): readonly string[] {
    return [...this.#tasks.keys()].reverse()
  }

  /** Marks a task as the most recent: a file of it was begun. */
  touch(group: string): void {
    const notes = this.#tasks.get(group) ?? {}
    this.#tasks.delete(group)
    this.#tasks.set(group, notes)
  }

  /** Records a bare check that listed these chunks, by group, and none of any other task. */
  recordBare(lists: ReadonlyMap<string, ChunkSet>): void {
    for (const [group, notes] of this.#tasks) this.#tasks.set(group, without(notes, 'bare'))
    for (const [group, chunks] of lists) {
      const least = leastOf(chunks)
      if (least !== undefined) this.#change(group, (notes) => withListed({ ...notes, bare: least }, chunks))
    }
  }

  /** Records a check with a name and a size. */
  recordFile(group: string, file: string, chunks: ChunkSet): void {
    this.#record(group, 'files', file, chunks)
  }

  /** Records a check with all fields. */
  recordSender(group: string, sender: string, chunks: ChunkSet): void {
    this.#record(group, 'senders', sender, chunks)
  }

  /** Whether a page may skip chunks of this file, which has `chunks` of them, because they were listed. */
  skips(group: string, file: string, sender: string, chunks: number): boolean {
    const { bare, files, senders } = this.#tasks.get(group) ?? {}
    return [bare, files?.[file], senders?.[sender]].some((least) => least !== undefined && least < chunks)
  }

  /** All chunks ever listed for the task. */
  listed(group: string): ChunkSet {
    return (this.#tasks.get(group)?.listed ?? []).map(([start, end]) => ({ start, end }))
  }

  /** Whether a file of the task was refused since the last new sender: then nothing is listed for it. */
  isRefused(group: string): boolean {
    return this.#tasks.get(group)?.refused === true
  }

  refuse(group: string): void {
    this.#change(group, (notes) => ({ ...notes, refused: true }))
  }

  /** Ends a refusal, because a new sender has joined. */
  clearRefusal(group: string): void {
    if (this.isRefused(group)) this.#change(group, (notes) => without(notes, 'refused'))
  }

  /** The text from which `from` restores the history; drops the least recent tasks if it is too long. */
  toString(): string {
    for (;;) {
      const text = JSON.stringify([...this.#tasks])
      if (this.#tasks.size <= MOST_TASKS && text.length <= LONGEST_TEXT) return text
      // A tenth at a time, because each pass serializes the whole history.
      const oldest = [...this.#tasks.keys()].slice(0, Math.ceil(this.#tasks.size / 10))
      for (const group of oldest) this.#tasks.delete(group)
    }
  }

  #record(group: string, kind: 'files' | 'senders', name: string, chunks: ChunkSet): void {
    const least = leastOf(chunks)
    if (least === undefined && !this.#tasks.has(group)) return
    this.#change(group, (notes) => {
      const { [name]: _, ...others } = notes[kind] ?? {}
      const kept = Object.fromEntries(Object.entries(others).slice(1 - MOST_PER_TASK))
      const updated = { ...without(notes, 'bare'), [kind]: least === undefined ? kept : { ...kept, [name]: least } }
      return withListed(updated, chunks)
    })
  }

  #change(group: string, change: (notes: TaskNotes) => TaskNotes): void {
    this.#tasks.set(group, change(this.#tasks.get(group) ?? {}))
  }
}

function without(notes: TaskNotes, key: 'bare' | 'refused'): TaskNotes {
  const { [key]: _, ...others } = notes
  return others
}

function withListed(notes: TaskNotes, chunks: ChunkSet): TaskNotes {
  if (chunks.length === 0) return notes
  const known = (notes.listed ?? []).map(([start, end]) => ({ start, end }))
  const runs = union([...known, ...chunks]).slice(0, MOST_RUNS)
  return { ...notes, listed: runs.map(({ start, end }) => [start, end]) }
}

function leastOf(chunks: ChunkSet): number | undefined {
  return chunks[0]?.start
}
