import { closeSync, openSync, writeSync } from 'node:fs'
import path from 'node:path'

/** A file to which lines are appended. */
export interface LineFile {
  /** Writes a line when it returns; a line that cannot be written is counted and dropped. */
  append(line: string): void
}

/** Permissions of a new audit log. */
const PRIVATE = 0o640

/**
 * A file that is opened for each line: after a rename by logrotate, the next line is in a new file, and none is lost.
 *
 * @param onTrouble called once when lines cannot be written, until they can again.
 * @param onEnd called then, with the number of lines that were dropped.
 * @throws Error with a sentence for the operator if it cannot be opened.
 */
export function auditFile(
  name: string,
  onTrouble: (error: unknown) => void,
  onEnd: (dropped: number) => void,
): LineFile {
  const file = path.resolve(name)
  try {
    closeSync(openSync(file, 'a', PRIVATE))
  } catch (error) {
    throw new Error(`AUDIT_LOG must be a file that can be written: ${error instanceof Error ? error.message : file}.`)
  }
  let dropped = 0
  /** Whether the file ends with a part of a line. */
  let isTorn = false
  const write = (line: string): void => {
    const bytes = Buffer.from(isTorn ? `\n${line}\n` : `${line}\n`)
    const descriptor = openSync(file, 'a', PRIVATE)
    try {
      for (let at = 0; at < bytes.length; ) {
        at += writeSync(descriptor, bytes, at)
        isTorn = at < bytes.length
      }
    } finally {
      closeSync(descriptor)
    }
  }
  return {
    append: (line) => {
      try {
        write(line)
      } catch (error) {
        if (dropped === 0) onTrouble(error)
        dropped += 1
        return
      }
      if (dropped > 0) onEnd(dropped)
      dropped = 0
    },
  }
}

/** Standard error. */
export const standardError: LineFile = { append: (line) => void writeSync(2, `${line}\n`) }
