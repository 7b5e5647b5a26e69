import { move } from '../../server/move/move-command.ts'

/** What `landfall move` printed, and its exit code. */
export interface Moved {
  readonly code: number
  readonly lines: readonly string[]
}

/** Runs `landfall move` in this process. */
export async function runMove(settings: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Moved> {
  const lines: string[] = []
  const code = await move({ ...settings }, args, (line) => lines.push(line))
  return { code, lines }
}
