import fc from 'fast-check'
import { type Header, utf8 } from '../message.ts'
import { bytesOf } from './text.ts'

/** One chunk of a file of a legacy page. */
export interface Chunk {
  readonly fields: readonly Header[]
  readonly bytes: string
}

const DATE = utf8('Mon Nov 23 2026 15:36:49 GMT+0800 (中国标准时间)')

/** Few files, so their chunks meet, some repeated or concurrent. */
export const chunk: fc.Arbitrary<Chunk> = fc
  .record({
    task: fc.constantFrom('t', 'wu_1k83m941f1a21krp1sa2ofak9t0', utf8('任务'), ''),
    name: fc.constantFrom(
      'a.bin',
      utf8('测试 文件.txt'),
      '../../evil.txt',
      'C:\\fake\\x.jpg',
      'a%22b.txt',
      'n'.repeat(300),
    ),
    id: fc.nat(400),
    size: fc.constantFrom(0, 1, 7, 100, 3000, 90_000),
    chunkSize: fc.constantFrom(1, 3, 40, 1000, 50_000),
    chunk: fc.nat(40),
  })
  .map(({ task, name, id, size, chunkSize, chunk: asked }) => {
    const chunks = Math.max(1, Math.ceil(size / chunkSize))
    const index = asked % chunks
    const start = index * chunkSize
    const head: Header[] = [
      ['task_id', task],
      ['id', `WU_FILE_${id}`],
      ['name', name],
      ['type', 'application/octet-stream'],
      ['lastModifiedDate', DATE],
      ['size', String(size)],
    ]
    const place: Header[] =
      chunks > 1
        ? [
            ['chunks', String(chunks)],
            ['chunk', String(index)],
          ]
        : []
    return { fields: [...head, ...place], bytes: bytesOf(start, Math.min(size, start + chunkSize)) }
  })
