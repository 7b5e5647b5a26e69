import { existsSync } from 'node:fs'
import { chmod, link, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Layout } from '../../server/disk/layout.ts'
import { readRecordFile } from '../../server/disk/record-file.ts'
import { doctor } from '../../server/doctor.ts'
import { deriveKeys, ownerOf } from '../../server/keys.ts'
import { bytesOf } from '../support/bytes.ts'
import { temporaryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { create, createUpload, idOf, locationOf, PATCH_HEADERS, patch } from '../support/tus.ts'

const TYPE = { 'Content-Type': PATCH_HEADERS['Content-Type'] }
const content = bytesOf(1000)

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let program: Program
let layout: Layout
let finished: string
let unfinished: string
beforeEach(async () => {
  folder = await temporaryFolder()
  layout = new Layout(folder.path)
  program = await startProgram({ DATA_DIR: folder.path })
  finished = idOf(locationOf(await create(program.url, { 'Upload-Length': '1000', ...TYPE }, content), program.url))
  const url = await createUpload(program.url, 1000)
  await patch(url, 0, content.subarray(0, 400))
  unfinished = idOf(url)
})
afterEach(async () => {
  await program.end('SIGKILL')
  await folder.dispose()
})

async function examine(...flags: string[]): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = []
  const code = await doctor({}, ['--data-dir', folder.path, ...flags], (line) => lines.push(line))
  return { code, lines }
}

/** Every file of the data directory with its size. */
async function everything(): Promise<string[]> {
  const entries = await readdir(folder.path, { recursive: true, withFileTypes: true })
  return entries.map((entry) => path.join(entry.parentPath, entry.name)).sort()
}

describe('landfall doctor', () => {
  it('refuses a directory that a service uses', async () => {
    await expect(examine()).rejects.toThrow('Another process is using the data directory')
  })

  describe('with the service stopped', () => {
    beforeEach(async () => {
      await program.end('SIGTERM')
    })

    it('finds no problem in the directory of a properly stopped service', async () => {
      expect(await examine()).toEqual({ code: 0, lines: ['No problems found.'] })
    })

    it('reports problems without a change, then repairs those that it can, and loses no bytes', async () => {
      await writeFile(layout.incomingFile('stray'), 'somebody’s bytes')
      await rm(layout.quarantine, { recursive: true })
      await writeFile(path.join(layout.recordFolder(finished), '.x.tmp'), 'half a record')
      await writeFile(layout.journal('unknown'), 'entries')
      await mkdir(layout.finishedFolder('empty'))
      const before = await everything()
      const dry = await examine()
      expect(dry.code).toBe(1)
      expect(dry.lines).toHaveLength(5)
      expect(dry.lines).toContainEqual(
        expect.stringMatching(/^incoming\/stray: Bytes without a record. --repair would/),
      )
      expect(await everything()).toEqual(before)
      const repaired = await examine('--repair')
      expect(repaired.code).toBe(0)
      expect(repaired.lines.at(-1)).toBe('Found: 4. Repaired: 4. Left: 0.')
      const [aside = ''] = await readdir(layout.quarantine)
      expect(await readFile(path.join(layout.quarantine, aside), 'utf8')).toBe('somebody’s bytes')
      expect((await examine()).code).toBe(0)
      program = await startProgram({ DATA_DIR: folder.path })
      const download = await fetch(`${program.url}/files/${finished}`)
      expect(Buffer.from(await download.arrayBuffer()).equals(content)).toBe(true)
      expect((await patch(`${program.url}/files/${unfinished}`, 400, content.subarray(400))).status).toBe(204)
    })

    it('reports what other users can read or change, and closes what is for the service only', async () => {
      await chmod(layout.records, 0o755)
      await chmod(layout.secret, 0o644)
      await chmod(layout.files, 0o755)
      const { code, lines } = await examine('--repair')
      expect([code, lines]).toEqual([
        0,
        [
          'records: Other users can read it. Done: close it to them.',
          'secret: Other users can read it. Done: close it to them.',
          'Found: 2. Repaired: 2. Left: 0.',
        ],
      ])
      const modes = await Promise.all([layout.records, layout.secret, layout.files].map((place) => stat(place)))
      expect(modes.map(({ mode }) => (mode & 0o777).toString(8))).toEqual(['700', '600', '755'])
      await chmod(layout.root, 0o777)
      const exposed = await examine('--repair')
      expect(exposed.code).toBe(1)
      expect(exposed.lines[0]).toMatch(/^\.: Other users can change files in .* Run as root: .* Left unchanged\.$/)
    })

    describe('and an owner', () => {
      const SECRET = 'A secret of 32 characters, or a few more'
      const ALICE = ownerOf(deriveKeys(SECRET), 'https://login.example', 'alice')

      async function give(...flags: string[]): Promise<string[]> {
        const lines: string[] = []
        const args = ['--data-dir', folder.path, ...flags]
        expect(await doctor({ SECRET }, args, (line) => lines.push(line))).toBe(0)
        return lines
      }

      async function owners(): Promise<(string | undefined)[]> {
        const records = [finished, unfinished].map((id) => readRecordFile(layout.record(id), id))
        return (await Promise.all(records)).map((record) => (typeof record === 'string' ? record : record.owner))
      }

      it('gives it uploads without an owner, and no others', async () => {
        const flags = ['--owner', 'alice', '--issuer', 'https://login.example']
        expect(await give(...flags, '--dry-run')).toEqual(['Uploads without an owner: 2. Unchanged.'])
        expect(await owners()).toEqual([undefined, undefined])
        expect(await give(...flags)).toEqual(['Uploads without an owner: 2. They belong to alice now.'])
        expect(await owners()).toEqual([ALICE, ALICE])
        expect(await give('--owner', 'bob')).toEqual(['Uploads without an owner: 0. They belong to bob now.'])
        expect(await owners()).toEqual([ALICE, ALICE])
        expect((await examine()).code).toBe(0)
      })

      it('takes the issuer from JWT_ISSUER, and the secret from the data directory or a file', async () => {
        const file = path.join(folder.path, 'secret-elsewhere')
        await writeFile(file, `${SECRET}\n`)
        const args = ['--data-dir', folder.path, '--owner', 'alice', '--secret-file', file]
        await doctor({ JWT_ISSUER: 'https://login.example' }, args, () => undefined)
        expect(await owners()).toEqual([ALICE, ALICE])
      })

      it('must be named', async () => {
        await expect(examine('--owner', '')).rejects.toThrow('--owner must name a subject.')
      })
    })

    it('leaves possible user files to the operator', async () => {
      const [name = ''] = await readdir(layout.finishedFolder(finished))
      await truncate(path.join(layout.finishedFolder(finished), name), 999)
      await mkdir(layout.finishedFolder('unknown'))
      await writeFile(path.join(layout.finishedFolder('unknown'), 'a.txt'), 'a')
      const { code, lines } = await examine('--repair')
      expect(code).toBe(1)
      expect(lines).toContainEqual(expect.stringContaining('A finished file of 999 bytes that should have 1000. Left'))
      expect(lines).toContainEqual(expect.stringContaining('files/unknown: A finished file without a record'))
      expect(lines.at(-1)).toBe('Found: 2. Repaired: 0. Left: 2.')
      expect(await readdir(layout.finishedFolder('unknown'))).toEqual(['a.txt'])
    })

    it('removes the link of an instant upload that was interrupted, and leaves the file that it came from', async () => {
      const [name = ''] = await readdir(layout.finishedFolder(finished))
      const file = path.join(layout.finishedFolder(finished), name)
      await link(file, layout.incomingFile('stray'))
      const { code, lines } = await examine('--repair')
      expect([code, lines.at(-1)]).toEqual([0, 'Found: 1. Repaired: 1. Left: 0.'])
      expect(await readdir(layout.incoming)).not.toContain('stray')
      expect(existsSync(layout.quarantine) ? await readdir(layout.quarantine) : []).toEqual([])
      expect((await readFile(file)).equals(content)).toBe(true)
    })

    it('sets aside a record without bytes and an unreadable one', async () => {
      await rm(layout.incomingFile(unfinished))
      const torn = path.join(layout.groupFolder('to'), 'torn.json')
      await mkdir(path.dirname(torn), { recursive: true })
      await writeFile(torn, '{"id":"torn"')
      const { code, lines } = await examine('--repair')
      expect([code, lines.length]).toEqual([0, 3])
      expect((await readdir(layout.quarantine)).map((name) => name.replace(/\.\d+$/, '')).sort()).toEqual(
        [`${unfinished}.json`, 'torn.json'].sort(),
      )
    })

    it('sets aside the record of a part whose final upload is gone', async () => {
      program = await startProgram({ DATA_DIR: folder.path })
      const concat = async (value: string, more: Readonly<Record<string, string>> = {}): Promise<string> =>
        locationOf(await create(program.url, { 'Upload-Concat': value, ...more }), program.url)
      const part = await concat('partial', { 'Upload-Length': '10' })
      await patch(part, 0, content.subarray(0, 10))
      const final = idOf(await concat(`final;${new URL(part).pathname}`))
      await program.end('SIGTERM')
      expect((await examine()).code).toBe(0)
      // The state after a crash between the removal of a final upload and that of its parts.
      await rm(layout.finishedFolder(final), { recursive: true })
      await rm(layout.record(final))
      const { code, lines } = await examine('--repair')
      expect(code).toBe(0)
      expect(lines[0]).toMatch(`records/${idOf(part).slice(0, 2)}/${idOf(part)}.json: A part of a final upload`)
      expect((await examine()).code).toBe(0)
    })
  })
})
