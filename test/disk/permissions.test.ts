import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Layout } from '../../server/disk/layout.ts'
import { Notes } from '../../server/disk/notes.ts'
import { bytesOf } from '../support/bytes.ts'
import { land } from '../support/chunks.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { create, createUpload, idOf, locationOf, PATCH_HEADERS, patch, TUS } from '../support/tus.ts'
import { cut } from '../support/webuploader.ts'

const TYPE = { 'Content-Type': PATCH_HEADERS['Content-Type'] }
const content = bytesOf(1000)
/** Only root can run commands as another user. */
const isRoot = process.getuid?.() === 0
const FOR_THE_GROUP = /^(?:files(?:\/|$)|$)/
const FOLDERS = ['adoptions', 'files', 'gone', 'incoming', 'journals', 'records', 'senders', 'visitors']
const FINISHED = /^files\/[^/]+\/|^incoming\//

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let layout: Layout
let program: Program
beforeEach(async () => {
  folder = await temporaryFolder()
  await chmod(folder.path, 0o755)
  layout = new Layout(path.join(folder.path, 'data'))
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

/** Starts the program under an umask. */
async function start(umask: string, settings: Readonly<Record<string, string>> = {}): Promise<void> {
  const within = ['sh', '-c', `umask ${umask}; exec "$@"`, 'sh']
  program = await startProgram({ DATA_DIR: layout.root, ...settings }, undefined, within)
}

/** Leaves a file of every kind. @returns the path of a finished file. */
async function useEverything(): Promise<string> {
  const small = await create(program.url, { 'Upload-Length': '1000', ...TYPE }, content)
  const url = await createUpload(program.url, 1000)
  await patch(url, 0, content)
  await patch(await createUpload(program.url, 1000), 0, content.subarray(0, 400))
  await fetch(await createUpload(program.url, 10), { method: 'DELETE', headers: TUS })
  const file = cut(content, 400)
  await land(program.url, file, 1)
  for (const notes of [layout.senders, layout.visitors, layout.adoptions])
    await new Notes(notes, 10).write('one', 'text')
  const place = layout.finishedFolder(idOf(locationOf(small, program.url)))
  const [name = ''] = await readdir(place)
  return path.join(place, name)
}

/** The permissions of everything in the data directory, by path. */
async function permissions(): Promise<Map<string, string>> {
  const entries = await readdir(layout.root, { recursive: true, withFileTypes: true })
  const places = entries.filter((entry) => !entry.isSocket()).map((entry) => path.join(entry.parentPath, entry.name))
  const modes = new Map<string, string>()
  for (const place of [layout.root, ...places]) {
    const { mode } = await stat(place)
    modes.set(path.relative(layout.root, place), (mode & 0o777).toString(8))
  }
  return modes
}

async function expectPermissions(file: string, directory: string): Promise<void> {
  const found = await permissions()
  const used = new Set([...found.keys()].filter((place) => place.includes('/')).map((place) => place.split('/')[0]))
  expect([...used].sort()).toEqual(FOLDERS)
  for (const [place, mode] of found) {
    const isDirectory = (await stat(path.join(layout.root, place))).isDirectory()
    const isFinished = FINISHED.test(place) && !isDirectory
    const wanted = isDirectory ? (FOR_THE_GROUP.test(place) ? directory : '700') : isFinished ? file : '600'
    expect([place, mode]).toEqual([place, wanted])
  }
}

describe('A new data directory', () => {
  it.each(['022', '000', '077'])('lets a group read finished files, and nothing else (umask %s)', async (umask) => {
    await start(umask)
    await useEverything()
    await expectPermissions('640', '750')
  })

  it('has the permissions of FILE_MODE and DIR_MODE', async () => {
    await start('077', { FILE_MODE: '644', DIR_MODE: '0755' })
    await useEverything()
    await expectPermissions('644', '755')
  })

  if (isRoot) {
    it('is readable for a backend in the group as far as finished files go, and not at all for others', async () => {
      await start('077')
      const file = await useEverything()
      const as = (group: number, place: string): Promise<string> => {
        const args = ['--reuid=12345', `--regid=${group}`, '--clear-groups', 'cat', place]
        return promisify(execFile)('setpriv', args, { encoding: 'latin1' }).then(({ stdout }) => stdout)
      }
      expect(await as(process.getgid?.() ?? 0, file)).toBe(content.toString('latin1'))
      await expect(as(54_321, file)).rejects.toThrow('Permission denied')
      const own = [...(await permissions()).keys()].filter((place) => !FOR_THE_GROUP.test(place))
      expect(own).toEqual(expect.arrayContaining(['secret', 'format']))
      const files = own.filter((place) => /\/|^secret$|^format$/.test(place))
      for (const place of files) {
        await expect(as(process.getgid?.() ?? 0, path.join(layout.root, place))).rejects.toThrow('Permission denied')
      }
    })
  }
})

describe('An existing data directory', () => {
  it('keeps its permissions', async () => {
    await mkdir(layout.records, { recursive: true })
    await mkdir(layout.files)
    await chmod(layout.root, 0o775)
    await chmod(layout.files, 0o711)
    await chmod(layout.records, 0o755)
    await start('022')
    await useEverything()
    const found = await permissions()
    expect(['', 'files', 'records', 'incoming'].map((place) => found.get(place))).toEqual(['775', '711', '755', '700'])
  })
})
