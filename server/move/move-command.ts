import { parseArgs } from 'node:util'
import { UploadError } from '../core/errors.ts'
import { withAccess } from '../disk/access.ts'
import { bootId } from '../disk/boot-id.ts'
import { checkFormat } from '../disk/data-directory.ts'
import { DiskDepot } from '../disk/disk-depot.ts'
import { DiskStore } from '../disk/disk-store.ts'
import { exists } from '../disk/files.ts'
import { Layout } from '../disk/layout.ts'
import { takeOwnership } from '../disk/owner.ts'
import { secretOfIds } from '../disk/secret.ts'
import { checkBucket, s3Environment } from '../open-s3-store.ts'
import { countUndelivered, readBacklogs } from '../outbox/backlog.ts'
import { settingsOfCommand } from '../read-settings.ts'
import { S3Depot } from '../s3/s3-depot.ts'
import type { Settings } from '../settings.ts'
import { endpointName } from '../webhooks/endpoint.ts'
import { moveAll } from './move.ts'
import { Report } from './report.ts'

export const MOVE_HELP = `landfall move to-s3 [--data-dir DIR] [--dry-run] [--verify] [--remove-source]
landfall move to-disk [--data-dir DIR] [--dry-run] [--verify] [--remove-source]

Brings all uploads of the data directory into the bucket of the settings (S3_BUCKET and others), or back: finished
files, unfinished uploads with the bytes that they have, so that clients resume, and tombstones. Stop the service first.
The source stays. An interrupted move can be run again; an upload that is already there is left alone. It lists what it
cannot move, and then exits with 1.

  --dry-run        says what would happen, and changes nothing
  --verify         compares the bytes of all uploads with those of the source; without it, only their sizes
  --remove-source  removes the uploads from the source when all of them are at the target

What scanners have rejected stays in DATA_DIR/quarantine. To move into a bucket, SECRET must be that of the directory
(DATA_DIR/secret), because the ids of files of pages depend on it. Start the service with the same SECRET afterwards.
`

/**
 * `landfall move`.
 *
 * @param print receives lines for the operator.
 * @returns the exit code.
 * @throws Error with a sentence for the operator when an argument is wrong, or a store is not accessible or in use.
 */
export async function move(
  variables: NodeJS.ProcessEnv,
  args: readonly string[],
  print: (line: string) => void,
): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      'data-dir': { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      verify: { type: 'boolean', default: false },
      'remove-source': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const [direction, surplus] = positionals
  if (values.help || direction === undefined) {
    print(MOVE_HELP.trimEnd())
    return 0
  }
  if ((direction !== 'to-s3' && direction !== 'to-disk') || surplus !== undefined) {
    throw new Error(`"${positionals.join(' ')}" is no direction: choose to-s3 or to-disk.`)
  }
  const settings = settingsOfCommand({ ...variables, STORE: 's3' }, values['data-dir'])
  const layout = new Layout(settings.DATA_DIR)
  const options = { isDry: values['dry-run'], verifies: values.verify, removesSource: values['remove-source'] }
  return withAccess(layout, async () => {
    const disk = await openDirectory(settings, layout, options.isDry, print)
    const environment = s3Environment(settings)
    const bucket = new S3Depot(environment)
    try {
      if (direction === 'to-s3' && !options.isDry) await checkBucket(settings, environment.port, print)
      if (direction === 'to-s3') await checkSecret(settings, layout)
      await checkDelivered(settings, layout)
      const report = new Report(print, options.isDry)
      if (direction === 'to-s3') await moveAll(disk, bucket, report, options)
      else await moveAll(bucket, disk, report, options)
      report.end()
      if (!report.isClean) return 1
      if (!options.isDry) print(`Start the service with STORE=${direction === 'to-s3' ? 's3' : 'disk'}.`)
      return 0
    } catch (error) {
      throw error instanceof UploadError ? new Error(sentenceOf(error)) : error
    } finally {
      await bucket.close()
      await disk.close()
    }
  })
}

/** The uploads of the directory, which belongs to this process until they are closed. */
async function openDirectory(
  settings: Settings,
  layout: Layout,
  isDry: boolean,
  print: (line: string) => void,
): Promise<DiskDepot> {
  if (!isDry) {
    const store = await DiskStore.open({
      directory: settings.DATA_DIR,
      sync: settings.SYNC,
      boot: bootId(),
      fileMode: settings.FILE_MODE,
      folderMode: settings.DIR_MODE,
      maxRejected: settings.QUARANTINE_SIZE,
      onNotice: print,
    })
    return new DiskDepot(layout, store, () => store.close())
  }
  if (!(await exists(layout.root))) return new DiskDepot(layout, undefined)
  await checkFormat(layout)
  const owner = await takeOwnership(layout)
  return new DiskDepot(layout, undefined, () => owner.release())
}

/** @throws Error with a sentence for the operator. */
async function checkSecret({ SECRET }: Settings, layout: Layout): Promise<void> {
  const secret = await secretOfIds(layout)
  if (secret === undefined || secret === SECRET) return
  throw new Error(
    `SECRET differs from the first line of ${layout.secret}, from which the ids of files of pages are made: ` +
      'unfinished ones could not continue. Set SECRET to that line. If the service has run with this SECRET, remove the file.',
  )
}

/** @throws Error with a sentence for the operator. */
async function checkDelivered({ WEBHOOK_URLS: urls }: Settings, { outbox }: Layout): Promise<void> {
  const backlogs = urls.length > 0 ? await readBacklogs(outbox, urls.map(endpointName)) : []
  const count =
    urls.length > 0 ? backlogs.reduce((sum, { pending }) => sum + pending, 0) : await countUndelivered(outbox)
  if (count === 0) return
  throw new Error(
    `Undelivered events in ${outbox}: ${count}. Start the service until its webhooks are delivered ` +
      '(landfall webhooks ls), stop it, and move then.',
  )
}

function sentenceOf({ code, message, cause }: UploadError): string {
  if (code === 'no_space') return 'The target is full. Make room, and run the move again.'
  return cause instanceof Error ? `${message} ${cause.message}` : message
}
