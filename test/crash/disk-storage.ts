import { readdir } from 'node:fs/promises'
import path from 'node:path'
import type { UploadRecord } from '../../server/core/record.ts'
import { exists } from '../../server/disk/files.ts'
import { Layout, RECORD_ENDING } from '../../server/disk/layout.ts'
import { readRecordFile } from '../../server/disk/record-file.ts'
import {
  checkDisk,
  checkFinishedFile,
  checkIncomingBytes,
  checkLeftovers,
  checkNothingLeft,
  checkWhatIsThere,
  folderNames,
  hasNoBytes,
  isLanded,
  isWhollyIncoming,
} from './disk-checks.ts'
import { checkLedger } from './ledger-check.ts'
import type { Storage } from './storage.ts'

/** A data directory. */
export function diskStorage(dataDir: string): Storage {
  const layout = new Layout(dataDir)
  return {
    settings: {},
    patience: 10_000,
    longestLoad: 350,
    resumesAtStart: true,
    events: {
      records: async () => {
        const records = await recordsIn(layout)
        return Promise.all(
          records.map(async (record) => ({ record, isFinished: await exists(layout.finishedFile(record)) })),
        )
      },
      gone: () => readdir(layout.gone),
    },
    checkLedger: (groups) => checkLedger(layout, groups),
    // The program stops itself.
    arm: () => undefined,
    checkAtStart: (uploads) => checkDisk(uploads, layout),
    checkFinishedFile: (upload, isLast) => checkFinishedFile(upload, layout, isLast),
    nothingLeft: async () => {
      const folders = await folderNames(layout)
      return (upload) => checkNothingLeft(upload, layout, folders)
    },
    checkReceivedBytes: (upload, ranges, onMissing) => checkIncomingBytes(upload, ranges, layout, onMissing),
    checkWhatIsThere: (upload) => checkWhatIsThere(upload, layout),
    hasNoBytes: (part) => hasNoBytes(part, layout),
    isLanded: (upload) => isLanded(upload, layout),
    isWhollyThere: (upload) => isWhollyIncoming(upload, layout),
    checkLeftovers: (uploads, unknown) => checkLeftovers(uploads, unknown, layout),
  }
}

async function recordsIn(layout: Layout): Promise<readonly UploadRecord[]> {
  const found: UploadRecord[] = []
  for (const group of await readdir(layout.records)) {
    for (const name of await readdir(layout.groupFolder(group))) {
      if (!name.endsWith(RECORD_ENDING)) continue
      const record = await readRecordFile(
        path.join(layout.groupFolder(group), name),
        name.slice(0, -RECORD_ENDING.length),
      )
      if (typeof record !== 'string') found.push(record)
    }
  }
  return found
}
