import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { Program } from './program.ts'
import { until } from './wire.ts'

const line = z.record(z.string(), z.unknown())

/** A line of JSON of a log. */
export type Line = z.output<typeof line>

/** Everything that a program writes to its standard error from now on. */
export interface Written {
  text(): string
  /** The lines that are JSON. */
  lines(): readonly Line[]
  /** Waits for a line that has these values. */
  found(values: Line): Promise<Line>
}

export function written(program: Program): Written {
  let text = program.errors()
  program.process.stderr?.on('data', (more) => {
    text += more
  })
  const lines = (): readonly Line[] => linesOf(text)
  return {
    text: () => text,
    lines,
    found: async (values) => {
      let found: Line | undefined
      await until(async () => {
        found = lines().find((one) => has(one, values))
        return found !== undefined
      })
      return found ?? {}
    },
  }
}

/** The lines of a file of JSON. */
export async function linesIn(file: string): Promise<readonly Line[]> {
  return linesOf(await readFile(file, 'utf8'))
}

/** Whether a line has these values. */
export function has(one: Line, values: Line): boolean {
  return Object.entries(values).every(([key, value]) => one[key] === value)
}

function linesOf(text: string): readonly Line[] {
  const complete = text.split('\n').slice(0, -1)
  return complete.filter((one) => one.startsWith('{')).map((one) => line.parse(JSON.parse(one)))
}
