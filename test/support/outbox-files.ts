import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { Layout } from '../../server/disk/layout.ts'
import { intentLine, marksLine } from '../../server/outbox/lines.ts'

/** The first file of an outbox. */
export function firstSegment(dataDir: string): string {
  return segmentFile(dataDir, 1)
}

function segmentFile(dataDir: string, number: number): string {
  return path.join(new Layout(dataDir).outbox, `${String(number).padStart(12, '0')}.log`)
}

/** Writes a file of an outbox, by default the first. */
export async function writeSegment(dataDir: string, lines: readonly Buffer[], number = 1): Promise<void> {
  await mkdir(new Layout(dataDir).outbox, { recursive: true })
  await writeFile(segmentFile(dataDir, number), Buffer.concat(lines))
}

/** An event of which nothing is delivered. @param upload by default, each event has its own. */
export function eventLine(index: number, upload = `id${index}`): Buffer {
  const body = { type: `upload.${index}`, data: { id: upload } }
  const id = `evt_${String(index).padStart(32, '0')}`
  return intentLine(index, {
    id,
    type: 'finished',
    upload,
    createdAt: '2026-11-23T00:00:00.000Z',
    at: Date.now(),
    body,
  })
}

/** The mark that events of the first file are true. */
export function confirmedLine(...indexes: readonly number[]): Buffer {
  return confirmedLineOf(1, indexes)
}

/** The mark that events of a file are true. */
export function confirmedLineOf(segment: number, indexes: readonly number[]): Buffer {
  return marksLine({ confirmed: indexes.map((index) => `${segment}.${index}`), over: [], delivered: new Map() })
}

/** A whole line with this text. */
export function foreignLine(text: string): Buffer {
  return Buffer.from(`${crc32(text).toString(16).padStart(8, '0')} ${text}\n`)
}
