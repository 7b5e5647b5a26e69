import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { Attempt, StoredUpload } from '../../server/core/store.ts'
import { DiskStore } from '../../server/disk/disk-store.ts'
import { bytesOf } from '../support/bytes.ts'
import { fileHandles } from '../support/file-handles.ts'
import { memoryFolder } from '../support/folder.ts'
import { type Program, startProgram } from '../support/program.ts'
import { put, recordOf } from '../support/store-contract.ts'
import { create, locationOf, offsetOf } from '../support/tus.ts'
import { cut, sendChunk } from '../support/webuploader.ts'

const PRELOAD = new URL('../support/record-disk.mjs', import.meta.url).href

let folder: Awaited<ReturnType<typeof memoryFolder>>
beforeEach(async () => {
  folder = await memoryFolder()
})
afterEach(async () => {
  jest.restoreAllMocks()
  await folder.dispose()
})

describe('An orderly stop', () => {
  /** More than the service keeps in memory, so it has closed many. */
  const UPLOADS = 1_050
  const MINUTE = 60_000
  const AT_ONCE = 16
  const SENT = 1_000
  let program: Program
  afterEach(() => program.end('SIGKILL'))

  function start(boot: string): Promise<Program> {
    return startProgram({ DATA_DIR: folder.path, BOOT_ID: boot, NODE_OPTIONS: `--import ${PRELOAD}` })
  }

  it(
    'loses no acknowledged bytes of unfinished uploads, even across a reboot of the host',
    async () => {
      program = await start('one')
      const paths: string[] = []
      const sendSome = async (): Promise<void> => {
        while (paths.length < UPLOADS) {
          const headers = { 'Upload-Length': '2000', 'Content-Type': 'application/offset+octet-stream' }
          const place = paths.push('') - 1
          paths[place] = new URL(locationOf(await create(program.url, headers, bytesOf(SENT)), program.url)).pathname
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, sendSome))
      const file = cut(bytesOf(3 * SENT), SENT)
      for (const chunk of [0, 2]) await sendChunk(program.url, file.fields(chunk), file.bytes(chunk))
      expect(await program.end('SIGTERM')).toBe(0)
      program = await start('two')
      for (let i = 0; i < paths.length; i += AT_ONCE) {
        const asked = paths.slice(i, i + AT_ONCE)
        const reported = await Promise.all(asked.map((path) => offsetOf(program.url + path)))
        expect(reported).toEqual(asked.map(() => SENT))
      }
      const last = await sendChunk(program.url, file.fields(1), file.bytes(1))
      expect(await last.json()).toMatchObject({ finished: true })
    },
    2 * MINUTE,
  )
})

describe('Uploads with unsynced bytes', () => {
  /** The limit while the speed of the disk is unknown. */
  const FIRST = 32
  let store: DiskStore
  beforeEach(async () => {
    store = await open('boot')
  })
  afterEach(() => store.close())

  function open(boot: string): Promise<DiskStore> {
    return DiskStore.open({ directory: folder.path, sync: 'finish', boot, onNotice: () => undefined })
  }

  /** Blocks every sync. @returns a function that releases all. */
  async function holdSyncs(): Promise<() => void> {
    let letGo = (): void => undefined
    const asked = new Promise<void>((resolve) => {
      letGo = resolve
    })
    jest.spyOn(await fileHandles(), 'datasync').mockImplementation(() => asked)
    return letGo
  }

  it('are limited to what the disk can sync at a stop: the next one waits', async () => {
    const letGo = await holdSyncs()
    const uploads: StoredUpload[] = []
    const begun = async (): Promise<StoredUpload> => {
      const upload = await store.create(recordOf(randomUUID(), 10))
      await put(upload, 0, 'hello', 'as-received')
      await upload.release()
      return upload
    }
    for (let i = 0; i < FIRST; i++) uploads.push(await begun())
    let hasBegun = false
    const waiting = begun().then((upload) => {
      hasBegun = true
      return upload
    })
    // Bytes for an upload that already has unsynced ones are not limited.
    await put(uploads.at(-1) ?? fail(), 5, 'world', 'as-received')
    expect(hasBegun).toBe(false)
    letGo()
    uploads.push(await waiting)
    for (const upload of uploads) await upload.close()
  })

  it('stay within the limit when many start at once, and slow clients block no others', async () => {
    const letGo = await holdSyncs()
    const uploads: StoredUpload[] = []
    const begin = async (): Promise<Attempt> => {
      const upload = await store.create(recordOf(randomUUID(), 10))
      uploads.push(upload)
      return upload.begin({ start: 0, end: 5 }, 'when-verified')
    }
    const attempts: Attempt[] = []
    for (let i = 0; i < 3 * FIRST; i++) attempts.push(await begin())
    let counted = 0
    let tellFull = (): void => undefined
    const full = new Promise<void>((resolve) => {
      tellFull = resolve
    })
    const [slow, ...others] = attempts
    const commits = others.map(async (attempt) => {
      await attempt.write([Buffer.from('hello')])
      await attempt.commit()
      counted += 1
      if (counted === FIRST) tellFull()
    })
    await full
    // The bytes of a client may arrive while others wait for a slot.
    const later = await begin()
    expect(counted).toBe(FIRST)
    letGo()
    await Promise.all(commits)
    expect(counted).toBe(others.length)
    for (const attempt of [slow, later]) await attempt?.discard()
    for (const upload of uploads) await upload.close()
  })

  it('note what is synced in their records, in lines that older versions ignore', async () => {
    const upload = await store.create(recordOf('id', 2_000))
    for (let i = 0; i < 300; i++) {
      await put(upload, i * 5, 'hello', 'as-received')
      await upload.close()
    }
    await store.close()
    store = await open('another')
    const found = await store.open('id')
    expect(found.kind === 'upload' && found.upload.received).toEqual([{ start: 0, end: 1_500 }])
  })
})

function fail(): never {
  throw new Error('The upload does not exist.')
}
