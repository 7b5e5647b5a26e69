import { readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { ifThere } from '../disk/files.ts'
import type { Finding } from '../disk/finding.ts'
import { isLetterName, readLetter } from './dead-letters.ts'
import { eventIn, type Line, linesIn, marksIn } from './lines.ts'
import { isSegmentName } from './load-segments.ts'

/**
 * Examines the outbox of a data directory that no process is using. A torn end is normal after a crash.
 *
 * @param root the data directory. @param folder that of the outbox.
 * @throws the OS error.
 */
export async function examineOutbox(root: string, folder: string): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  const find = (file: string, sentence: string, repair?: Finding['repair']): void => {
    findings.push({ place: path.relative(root, file), sentence, repair })
  }
  for (const name of await list(folder)) {
    const file = path.join(folder, name)
    if (name === 'dead' || name === 'again') continue
    if (isTemporary(name, isSegmentName)) find(file, 'Events that were not completely written.', removal(file))
    else if (!isSegmentName(name)) find(file, 'A file that is not a part of the outbox.')
    else for (const sentence of linesFound(await readFile(file))) find(file, sentence)
  }
  for (const folderOfLetters of [path.join(folder, 'dead'), path.join(folder, 'again')]) {
    for (const name of await list(folderOfLetters)) {
      const file = path.join(folderOfLetters, name)
      if (isTemporary(name, isLetterName)) find(file, 'An event that was not completely written.', removal(file))
      else if (!isLetterName(name) || (await readLetter(file)) === undefined) find(file, 'A file that is not an event.')
    }
  }
  return findings
}

function linesFound(bytes: Buffer): readonly string[] {
  const lines = [...linesIn(bytes)]
  const end = lines.findLastIndex(({ kind }) => kind !== 'damaged')
  const whole = lines.slice(0, end + 1)
  const damaged = whole.filter(({ kind }) => kind === 'damaged').length
  const foreign = whole.filter((line) => isForeign(bytes, line)).length
  return [
    ...(damaged > 0 ? [`Damaged lines: ${damaged}. Their events may be lost.`] : []),
    ...(foreign > 0 ? [`Lines that another version has written: ${foreign}. They are not delivered.`] : []),
  ]
}

function isForeign(bytes: Buffer, line: Line): boolean {
  if (line.kind === 'marks') return marksIn(bytes, line) === undefined
  if (line.kind === 'intent') return eventIn(bytes, line) === undefined
  return line.kind === 'foreign'
}

function isTemporary(name: string, isName: (name: string) => boolean): boolean {
  return name.endsWith('.tmp') && isName(name.slice(0, -'.tmp'.length))
}

function removal(file: string): Finding['repair'] {
  return { sentence: 'remove it', run: () => rm(file, { force: true }) }
}

async function list(folder: string): Promise<readonly string[]> {
  return (await ifThere(() => readdir(folder))) ?? []
}
