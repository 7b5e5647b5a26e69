import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { bytesOf, MIB } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'

const MAIN = fileURLToPath(new URL('../../dist/program/main.js', import.meta.url))
/** Runs a command with a disk of 8 MiB that only it sees, and lists what is left on it. */
const SMALL_DISK = `mount -t tmpfs -o size=8m,mode=750 tmpfs "$1"; disk=$1; shift; "$@"; code=$?
  cd "$disk"; find incoming records files quarantine -type f | sort; exit $code`

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.dispose())

it('An import to a full disk ends with a sentence, and leaves nothing of the upload that did not fit', async () => {
  const source = path.join(folder.path, 'upload')
  const dataDir = path.join(folder.path, 'data')
  for (const made of [source, dataDir]) await mkdir(made)
  const list = path.join(folder.path, 'list')
  await writeFile(list, 'task_id,name,chunks\na,a.bin,1\nb,b.bin,3\nc,c.bin,1\n')
  await writeFile(path.join(source, 'a0'), bytesOf(MIB))
  for (let chunk = 0; chunk < 3; chunk++) await writeFile(path.join(source, `b${chunk}`), bytesOf(4 * MIB))
  const namespace = process.getuid?.() === 0 ? ['-m'] : ['-rm']
  const command = [process.execPath, MAIN, 'import', 'chunks', source, '--list', list]
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    [...namespace, 'sh', '-c', SMALL_DISK, 'sh', dataDir, ...command],
    {
      env: { PATH: process.env['PATH'], DATA_DIR: dataDir },
      encoding: 'utf8',
    },
  )
  expect([status, stderr]).toEqual([1, 'The disk is full. Make room, and run the import again.\n'])
  const [taken, ...left] = stdout.trim().split('\n')
  const id = /now ([0-9a-f]{32})$/.exec(taken ?? '')?.[1]
  expect(left).toEqual([`files/${id}/a.bin`, `records/${id?.slice(0, 2)}/${id}.json`])
})
