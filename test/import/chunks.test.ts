import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { parseCsv } from '../../server/import/csv.ts'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { startServiceOn } from '../support/service.ts'
import { contentOf, type Imported, runImport } from './support.ts'

const content = bytesOf(2_500)

let folder: TemporaryFolder
/** Where the old endpoint has saved its chunks. */
let source: string
let dataDir: string
beforeEach(async () => {
  folder = await temporaryFolder()
  source = path.join(folder.path, 'upload')
  dataDir = path.join(folder.path, 'data')
  await mkdir(source)
})
afterEach(() => folder.dispose())

/** Saves the chunks of a task as the old endpoint does, each of 1,000 bytes. */
async function save(taskId: string, bytes: Buffer = content): Promise<void> {
  for (let at = 0; at < bytes.length; at += 1_000) {
    await writeFile(path.join(source, `${taskId}${at / 1_000}`), bytes.subarray(at, at + 1_000))
  }
}

/** Runs the import with a list. */
async function run(list: string | object, ...args: readonly string[]): Promise<Imported> {
  const file = path.join(folder.path, 'list')
  await writeFile(file, typeof list === 'string' ? list : JSON.stringify(list))
  return runImport(dataDir, 'chunks', source, '--list', file, ...args)
}

/** The id that an import has printed for a task. */
function idIn({ lines }: Imported, taskId: string): string {
  return /now ([0-9a-f]{32})$/.exec(lines.find((line) => line.startsWith(`${taskId} `)) ?? '')?.[1] ?? ''
}

describe('landfall import chunks', () => {
  it('makes a file of each whole task, and lists what is missing of the others', async () => {
    for (const task of ['wu_a', 'wu_b', 'wu_c']) await save(task)
    await rm(path.join(source, 'wu_b1'))
    await writeFile(path.join(source, 'merged.mp4'), 'by the old endpoint')
    const before = await contentOf(source)
    const list = 'task_id,name,chunks,size\nwu_a,"Urlaub, 2026 ""neu"".mp4",3,\nwu_b,b.mp4,3,2500\nwu_c,c.mp4,12,\n'
    const imported = await run(list)
    const [id] = await readdir(path.join(dataDir, 'files'))
    expect(imported.lines).toEqual([
      `wu_a (Urlaub, 2026 "neu".mp4): 2500 bytes, now ${id}`,
      'wu_b (b.mp4): 2 of 3 chunks found. Missing: chunk 1. Not imported.',
      'wu_c (c.mp4): 3 of 12 chunks found. Missing: chunks 3-11. Not imported.',
      'Files of no task in the list: 1 (merged.mp4)',
      'Imported: 1 finished, 0 unfinished. Already imported: 0. Not imported: 2.',
    ])
    expect(imported.code).toBe(1)
    expect(await contentOf(source)).toEqual(before)
    const service = await startServiceOn(dataDir)
    const download = await fetch(`${service.url}/files/${id}`)
    expect(Buffer.from(await download.arrayBuffer()).equals(content)).toBe(true)
    expect(download.headers.get('Content-Disposition')).toContain('Urlaub, 2026')
    await service.close()
  })

  it('takes each task once, and the rest when it is complete', async () => {
    await save('a')
    await save('b', content.subarray(0, 1_000))
    const list = [
      { task_id: 'a', name: 'a.bin', chunks: 3 },
      { task_id: 'b', name: 'b.bin', chunks: 3, size: 2_500 },
    ]
    const first = await run(list)
    expect(first.lines.at(-1)).toBe('Imported: 1 finished, 0 unfinished. Already imported: 0. Not imported: 1.')
    await save('b')
    const second = await run(list)
    expect(second.lines.at(-1)).toBe('Imported: 1 finished, 0 unfinished. Already imported: 1. Not imported: 0.')
    expect(second.code).toBe(0)
    expect(await readFile(path.join(dataDir, 'files', idIn(first, 'a'), 'a.bin'))).toEqual(content)
    expect(await readFile(path.join(dataDir, 'files', idIn(second, 'b'), 'b.bin'))).toEqual(content)
  })

  it('gives ids that depend on the secret of the data directory', async () => {
    await save('a')
    const list = [{ task_id: 'a', name: 'a.bin', chunks: 3 }]
    const first = idIn(await run(list), 'a')
    dataDir = path.join(folder.path, 'other')
    const second = idIn(await run(list), 'a')
    expect([first.length, second.length, first === second]).toEqual([32, 32, false])
  })

  it('distinguishes tasks whose names begin alike, and refuses those that share a file', async () => {
    await save('a')
    await save('ab')
    await save('a1')
    const apart = await run('task_id,name,chunks\na,a.bin,3\nab,ab.bin,3\n')
    expect(apart.lines.at(-1)).toBe('Imported: 2 finished, 0 unfinished. Already imported: 0. Not imported: 0.')
    await rm(dataDir, { recursive: true })
    // a10 is chunk 10 of a, or chunk 0 of a1.
    const { lines } = await run('task_id,name,chunks\na,a.bin,11\na1,a1.bin,3\n')
    expect(lines.slice(0, 2)).toEqual([
      'a (a.bin): The file a10 belongs to another task of the list, too. Not imported.',
      'a1 (a1.bin): The file a10 belongs to another task of the list, too. Not imported.',
    ])
  })

  it('refuses a task with a chunk that was not written completely', async () => {
    await save('a')
    await writeFile(path.join(source, 'a1'), 'torn')
    await save('b')
    await save('c', content.subarray(0, 2_000))
    await writeFile(path.join(source, 'c2'), Buffer.alloc(1_001))
    const { lines } = await run('task_id,name,chunks,size\na,a.bin,3,\nb,b.bin,3,2501\nc,c.bin,3,\n')
    expect(lines.slice(0, 3)).toEqual([
      'a (a.bin): Chunk 1 has 4 bytes, and chunk 0 has 1000. Not imported.',
      'b (b.bin): Its chunks have 2500 bytes instead of 2501. Not imported.',
      'c (c.bin): Chunk 2 has 1001 bytes, and chunk 0 has 1000. Not imported.',
    ])
    expect(await readdir(path.join(dataDir, 'files'))).toEqual([])
  })

  it('reads chunks in directories, with another pattern', async () => {
    await mkdir(path.join(source, 'guid-1'))
    for (let chunk = 0; chunk < 3; chunk++) {
      await writeFile(
        path.join(source, 'guid-1', `${chunk}.part`),
        content.subarray(chunk * 1_000, (chunk + 1) * 1_000),
      )
    }
    const list = [{ task_id: 'guid-1', name: 'a.bin', chunks: 3 }]
    const imported = await run(list, '--pattern', '{task_id}/{chunk}.part')
    expect(imported.code).toBe(0)
    expect(await readFile(path.join(dataDir, 'files', idIn(imported, 'guid-1'), 'a.bin'))).toEqual(content)
    await expect(run(list, '--pattern', '{chunk}.part')).rejects.toThrow(
      /^--pattern must contain \{task_id\} and \{chunk\}\.$/,
    )
  })

  it('says with --dry-run what it would do, and changes nothing', async () => {
    await save('a')
    const { lines } = await run('task_id,name,chunks\na,a.bin,3\n', '--dry-run')
    expect(lines).toEqual([
      'a (a.bin): 2500 bytes',
      'Would import: 1 finished, 0 unfinished. Already imported: 0. Not imported: 0.',
    ])
    expect(await readdir(folder.path)).toEqual(['list', 'upload'])
  })

  it('never leaves the folder, whatever a task is called, and follows no link', async () => {
    await writeFile(path.join(folder.path, 'outside0'), 'secret')
    await symlink(path.join(folder.path, 'outside0'), path.join(source, 'link0'))
    const linked = await run([{ task_id: 'link', name: 'a', chunks: 1 }])
    expect(linked.lines[0]).toBe('link (a): 0 of 1 chunks found. Missing: chunk 0. Not imported.')
    const { lines } = await run([{ task_id: '../outside', name: 'a', chunks: 1 }])
    expect(lines[0]).toBe('../outside (a): 0 of 1 chunks found. Missing: chunk 0. Not imported.')
  })

  it.each([
    ['{"a":1}', /^The list must be a JSON array, or CSV that begins with a line like task_id,name,chunks\.$/],
    ['[1', /^The list is not a JSON array\.$/],
    ['', /^The list must be/],
    ['task_id,name,chunks\na,b\n', /^Entry 1 of the list is not valid: chunks: /],
    ['task_id,name,chunks\na,b,1\nc,,1\n', /^Entry 2 of the list is not valid: name: /],
    ['task_id,name,chunks\na,b,0\n', /^Entry 1 of the list is not valid: chunks: expected 1 to 1,000,000\.$/],
    ['task_id,name,chunks\na,b,1\na,c,1\n', /^The list has the task "a" twice\.$/],
    ['task_id,name,chunks\na,"b,1\n', /^Line 2 has a quote that is not closed, or misplaced\.$/],
  ])('refuses the list %j with a sentence', async (list, sentence) => {
    await expect(run(list)).rejects.toThrow(sentence)
  })

  it('refuses a list that is not there', async () => {
    await expect(runImport(dataDir, 'chunks', source, '--list', '/no/list')).rejects.toThrow(
      /^The list \/no\/list cannot be read \(ENOENT\)\.$/,
    )
  })
})

describe('parseCsv', () => {
  it.each<[string, string[][]]>([
    ['', []],
    ['a', [['a']]],
    ['a,b\n', [['a', 'b']]],
    [
      'a,b\r\n\r\nc,\r\n',
      [
        ['a', 'b'],
        ['c', ''],
      ],
    ],
    ['"a,\n""b""",c', [['a,\n"b"', 'c']]],
    [',\n', [['', '']]],
  ])('reads %j', (text, records) => {
    expect(parseCsv(text)).toEqual(records)
  })

  it.each(['"a', 'a"b', '"a"b,c'])('refuses %j', (text) => {
    expect(() => parseCsv(text)).toThrow(/^Line 1 has a quote/)
  })
})
