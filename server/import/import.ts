import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { systemCode } from '../core/errors.ts'
import { keyedDigest } from '../core/keyed-digest.ts'
import { bootId } from '../disk/boot-id.ts'
import { diskError } from '../disk/disk-error.ts'
import { DiskStore } from '../disk/disk-store.ts'
import type { Step } from '../disk/environment.ts'
import { exists, ifThere } from '../disk/files.ts'
import { Layout } from '../disk/layout.ts'
import { settingsOfCommand } from '../read-settings.ts'
import { secretsOf } from '../secrets.ts'
import type { Settings } from '../settings.ts'
import { chunkedUploads, DEFAULT_PATTERN } from './chunk-folder.ts'
import type { Found } from './found.ts'
import { Report } from './report.ts'
import { diskTarget, type Target } from './target.ts'
import { readTaskList } from './task-list.ts'
import { tusdUploads } from './tusd-folder.ts'

export const IMPORT_HELP = `landfall import tusd FOLDER [--data-dir DIR] [--copy] [--dry-run]
landfall import chunks FOLDER --list FILE [--pattern NAME] [--data-dir DIR] [--dry-run]

Imports the uploads of another server. Stop that server and this service first. The folder is never changed, and an
interrupted import can be run again. It lists what it cannot import, and then exits with 1.

  tusd        uploads with their .info files; ids stay the same, so clients resume
  chunks      files with one chunk each, counted from 0; each whole task becomes a file
  --list FILE the tasks: CSV that begins with task_id,name,chunks or task_id,name,chunks,size, or JSON like
              [{"task_id":"…","name":"a.mp4","chunks":3,"size":123}]
  --pattern   the names of chunks, if they are not {task_id}{chunk}, for example {task_id}/{chunk}.part
  --copy      copies finished files; by default, they are hard links where the file system has them
  --dry-run   lists what would happen, and changes nothing

With STORE=s3, uploads come into the bucket of the settings.
A folder of @tus/file-store needs no import: start the service with DATA_DIR set to it.
`

export interface ImportOptions {
  /** Called after each step in a data directory; tests stop the program there. */
  readonly onStep: (step: Step) => void
  /** Opens the bucket of STORE=s3. @param isDry whether nothing may be changed. */
  readonly openBucket: (settings: Settings, isDry: boolean) => Promise<Target>
}

/**
 * `landfall import`.
 *
 * @param print receives lines for the operator.
 * @returns the exit code.
 * @throws Error with a sentence for the operator when an argument is wrong, or a directory is not accessible or in use.
 */
export async function importUploads(
  environment: NodeJS.ProcessEnv,
  args: readonly string[],
  print: (line: string) => void,
  { onStep, openBucket }: ImportOptions,
): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      list: { type: 'string' },
      pattern: { type: 'string' },
      copy: { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
      'data-dir': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const [kind, given, surplus] = positionals
  if (values.help || kind === undefined) {
    print(IMPORT_HELP.trimEnd())
    return 0
  }
  if (kind !== 'tusd' && kind !== 'chunks') throw new Error(`"${kind}" is not an import: choose tusd or chunks.`)
  if (given === undefined || surplus !== undefined) throw new Error(`Name one folder: landfall import ${kind} FOLDER.`)
  if ((kind === 'chunks') !== (values.list !== undefined)) {
    throw new Error('--list names the tasks of an import of chunks, and only of these.')
  }
  const { list, pattern = DEFAULT_PATTERN } = values
  if (!pattern.includes('{task_id}') || !pattern.includes('{chunk}')) {
    throw new Error('--pattern must contain {task_id} and {chunk}.')
  }
  const settings = settingsOfCommand(environment, values['data-dir'])
  const layout = new Layout(settings.DATA_DIR)
  const folder = path.resolve(given)
  if (overlap(folder, layout.root)) throw new Error(`${folder} and the data directory must not contain each other.`)
  if (!(await ifThere(() => stat(folder)))?.isDirectory()) throw new Error(`${folder} is not a directory.`)
  const isDry = values['dry-run']
  const target =
    settings.STORE === 's3'
      ? await openBucket(settings, isDry)
      : diskTarget(layout, isDry ? undefined : await openStore(settings, print, onStep))
  try {
    const found = list === undefined ? tusdUploads(folder) : chunks(folder, list, pattern, settings, isDry)
    const report = new Report(print, isDry)
    for await (const one of found) await importOne(one, report, target, !values.copy)
    report.end()
    return report.isClean ? 0 : 1
  } finally {
    await target.close()
  }
}

async function importOne(found: Found, report: Report, target: Target, mayLink: boolean): Promise<void> {
  if (found.kind === 'problem') return report.problem(found.name, found.sentence)
  if (found.kind === 'stray') return report.stray(found.name)
  if (await target.isTaken(found.record.id)) return report.known()
  try {
    await target.add(found.record, { files: found.files, mayLink })
  } catch (error) {
    if (diskError(error).code === 'no_space') throw new Error('The disk is full. Make room, and run the import again.')
    // Another upload may still succeed, unless the disk fails.
    if (!UNREADABLE.has(systemCode(error) ?? '')) throw error
    return report.problem(found.name, `Its file cannot be read (${systemCode(error)}).`)
  }
  report.taken(found)
}

const UNREADABLE: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'ENOENT'])

async function* chunks(
  folder: string,
  list: string,
  pattern: string,
  settings: Settings,
  isDry: boolean,
): AsyncGenerator<Found> {
  const tasks = await readTaskList(list)
  // A dry run creates no secret. Without one, no upload can have an id of a task yet.
  const hasNoSecret = isDry && settings.SECRET === '' && !(await exists(new Layout(settings.DATA_DIR).secret))
  const { ids } = hasNoSecret ? { ids: randomUUID() } : await secretsOf(settings)
  // The same task has the same id in each run, so it is imported once; clients cannot guess it.
  yield* chunkedUploads(folder, tasks, pattern, (taskId) => keyedDigest(ids, 'import', [taskId]).slice(0, 32))
}

function openStore(
  settings: Settings,
  print: (line: string) => void,
  onStep: (step: Step) => void,
): Promise<DiskStore> {
  return DiskStore.open({
    directory: settings.DATA_DIR,
    sync: settings.SYNC,
    boot: bootId(),
    fileMode: settings.FILE_MODE,
    folderMode: settings.DIR_MODE,
    maxRejected: settings.QUARANTINE_SIZE,
    onNotice: print,
    onStep,
  })
}

function overlap(one: string, other: string): boolean {
  const [a, b] = [`${one}${path.sep}`, `${other}${path.sep}`]
  return a.startsWith(b) || b.startsWith(a)
}
