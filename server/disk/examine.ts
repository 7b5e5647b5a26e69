import { readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { isUploadId, type UploadRecord } from '../core/record.ts'
import { checkFormat } from './data-directory.ts'
import { examineFiles } from './examine-files.ts'
import { examinePermissions } from './examine-permissions.ts'
import { exists, hasOtherLink, ifThere, makeFolder } from './files.ts'
import type { Finding } from './finding.ts'
import { type Layout, RECORD_ENDING } from './layout.ts'
import { PRIVATE_FOLDER } from './modes.ts'
import { readRecordFile } from './record-file.ts'

/**
 * Examines a data directory that no process is using.
 *
 * @throws Error with a sentence for the operator when this version cannot read its format; the OS error.
 */
export async function examine(layout: Layout): Promise<readonly Finding[]> {
  await checkFormat(layout)
  const records = await readRecords(layout)
  return [
    ...records.findings,
    ...(await examineIncoming(layout, records.byId)),
    ...(await examineFiles(layout, records.byId.values())),
    ...(await examineJournals(layout)),
    ...(await examineRemovals(layout)),
    ...(await examinePermissions(layout)),
  ]
}

interface Records {
  readonly byId: ReadonlyMap<string, UploadRecord>
  readonly findings: readonly Finding[]
}

async function readRecords(layout: Layout): Promise<Records> {
  const byId = new Map<string, UploadRecord>()
  const findings: Finding[] = []
  for (const group of await list(layout.records)) {
    for (const name of await list(layout.groupFolder(group))) {
      const file = path.join(layout.groupFolder(group), name)
      if (name.endsWith('.tmp')) {
        findings.push(finding(layout, file, 'A record that was not completely written.', removal(file)))
      } else if (name.endsWith(RECORD_ENDING)) {
        const id = name.slice(0, -RECORD_ENDING.length)
        const record = await readRecordFile(file, id)
        if (record === 'none') continue
        if (record === 'torn') findings.push(await tornRecord(layout, id, file))
        else byId.set(id, record)
        if (record !== 'torn' && !(await hasBytes(layout, record))) {
          findings.push(finding(layout, file, 'A record without bytes.', aside(layout, file)))
        }
      }
    }
  }
  for (const record of byId.values()) {
    if (!record.joined || byId.has(record.final ?? '') || (await exists(layout.incomingFile(record.id)))) continue
    const file = layout.record(record.id)
    findings.push(finding(layout, file, 'A part of a final upload that is gone.', aside(layout, file)))
  }
  return { byId, findings }
}

/** The bytes of a torn record are unreachable, but they may be a finished file. */
async function tornRecord(layout: Layout, id: string, file: string): Promise<Finding> {
  const isFinished = (await list(layout.finishedFolder(id))).length > 0
  if (isFinished) return finding(layout, file, 'The record of a finished file cannot be read.', undefined)
  return finding(layout, file, 'An unreadable record.', aside(layout, file))
}

async function hasBytes(layout: Layout, record: UploadRecord): Promise<boolean> {
  const { id, joined, failed } = record
  if (joined || failed !== undefined || (await exists(path.join(layout.leaving, id)))) return true
  return (await exists(layout.incomingFile(id))) || (await exists(layout.finishedFile(record)))
}

async function examineIncoming(layout: Layout, records: ReadonlyMap<string, UploadRecord>): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const name of await list(layout.incoming)) {
    const file = layout.incomingFile(name)
    const record = records.get(name)
    if (record === undefined) {
      // The link of an instant upload whose creation was interrupted.
      const repair = (await hasOtherLink(file)) ? removal(file) : aside(layout, file)
      findings.push(finding(layout, file, 'Bytes without a record.', repair))
    } else if (await exists(layout.finishedFile(record))) {
      findings.push(finding(layout, file, 'Bytes of a file that is already finished.', aside(layout, file)))
    }
  }
  return findings
}

async function examineJournals(layout: Layout): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const name of await list(layout.journals)) {
    if (await exists(layout.incomingFile(name))) continue
    const file = layout.journal(name)
    findings.push(finding(layout, file, 'A journal without an unfinished upload.', removal(file)))
  }
  return findings
}

async function examineRemovals(layout: Layout): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const id of (await list(layout.leaving)).filter(isUploadId)) {
    const sentence = 'An interrupted removal; the next start completes it.'
    findings.push(finding(layout, path.join(layout.leaving, id), sentence, undefined))
  }
  return findings
}

type Repair = NonNullable<Finding['repair']>

function finding(layout: Layout, file: string, sentence: string, repair: Repair | undefined): Finding {
  return { place: path.relative(layout.root, file), sentence, repair }
}

function removal(file: string): Repair {
  return { sentence: 'remove it', run: () => rm(file, { force: true }) }
}

/** The new name is unique, so no later start or repair overwrites it. */
function aside({ quarantine }: Layout, file: string): Repair {
  const target = path.join(quarantine, `${path.basename(file)}.${Date.now()}`)
  const run = async (): Promise<void> => {
    await makeFolder(quarantine, PRIVATE_FOLDER)
    await rename(file, target)
  }
  return { sentence: 'move it to quarantine', run }
}

async function list(folder: string): Promise<readonly string[]> {
  return (await ifThere(() => readdir(folder))) ?? []
}
