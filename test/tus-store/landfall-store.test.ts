import { readdir, readFile, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { ServerOptions } from '@tus/server'
import { LandfallStore, type LandfallStoreOptions } from '../../server/tus-store/landfall-store.ts'
import { bytesOf } from '../support/bytes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'
import { create, createUpload, head, idOf, locationOf, offsetOf, PATCH_HEADERS, patch, patchWith, TUS } from '../support/tus.ts'
import { startTusServer, type TusServer } from '../support/tus-server.ts'

const content = bytesOf(300_000)

let folder: TemporaryFolder
let store: LandfallStore
let server: TusServer
let warnings: string[]
beforeEach(async () => {
  folder = await temporaryFolder()
  warnings = []
})
afterEach(async () => {
  await server.close()
  await store.close()
  await folder.dispose()
})

async function start(
  options: Partial<LandfallStoreOptions> = {},
  serverOptions: Omit<Partial<ServerOptions>, 'path'> = {},
): Promise<void> {
  store = new LandfallStore({ directory: folder.path, warn: (sentence) => warnings.push(sentence), ...options })
  server = await startTusServer(store, serverOptions)
}

async function restart(options: Partial<LandfallStoreOptions> = {}): Promise<void> {
  await server.close()
  await store.close()
  await start(options)
}

/** The URL of an upload of an earlier start. */
function again(url: string): string {
  return `${server.url}/files/${idOf(url)}`
}

describe('@tus/server on LandfallStore', () => {
  it('stores a file under its name, and serves it', async () => {
    await start()
    const url = await createUpload(server.url, content.length, { filename: '测试 文件.txt' })
    expect((await patch(url, 0, content.subarray(0, 100_000))).headers.get('Upload-Offset')).toBe('100000')
    expect((await patch(url, 100_000, content.subarray(100_000))).status).toBe(204)
    expect(await readFile(path.join(folder.path, 'files', idOf(url), '测试 文件.txt'))).toEqual(content)
    const download = await fetch(url)
    expect(Buffer.from(await download.arrayBuffer()).equals(content)).toBe(true)
    expect(warnings).toEqual([])
  })
})
