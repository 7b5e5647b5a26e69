import { utimes } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { bytesOf } from '../support/bytes.ts'
import { land, landAll } from '../support/chunks.ts'
import { startService, type TestService } from '../support/service.ts'
import { createUpload, idOf, TUS } from '../support/tus.ts'
import { cut } from '../support/webuploader.ts'
import { until } from '../support/wire.ts'

const LONG_AGO = new Date(Date.now() - 8 * 24 * 60 * 60 * 1000)
const file = cut(bytesOf(2000), 1000)
let service: TestService
beforeEach(async () => {
  // It looks twice a second for what is stale.
  service = await startService({ EXPIRES_AFTER: '1' })
})
afterEach(() => service.close())

function urlOf(id: string): string {
  return `${service.url}/files/${id}`
}

async function remove(id: string): Promise<void> {
  expect((await fetch(urlOf(id), { method: 'DELETE', headers: TUS })).status).toBe(204)
}

async function makeOld(id: string): Promise<void> {
  await utimes(path.join(service.dataDir, 'gone', id), LONG_AGO, LONG_AGO)
}

function forgotten(id: string): Promise<void> {
  return until(async () => (await fetch(urlOf(id))).status === 404)
}

it('An upload that was deleted long ago is not found; one that was deleted recently is gone', async () => {
  const [old, young] = [idOf(await createUpload(service.url, 10)), idOf(await createUpload(service.url, 10))]
  for (const id of [old, young]) await remove(id)
  await makeOld(old)
  await forgotten(old)
  expect((await fetch(urlOf(young))).status).toBe(410)
})

it('A file that was deleted and sent again is still found when the deletion is forgotten', async () => {
  const first = await landAll(service.url, file)
  await remove(first.id)
  const second = await landAll(service.url, file)
  expect(second.id).not.toBe(first.id)
  await makeOld(first.id)
  await forgotten(first.id)
  expect((await landAll(service.url, file)).id).toBe(second.id)
})

it('A file whose uploads are all forgotten restarts under a new URL, so caches do not confuse it', async () => {
  const first = await landAll(service.url, file)
  const tag = (await fetch(urlOf(first.id))).headers.get('ETag') ?? ''
  await remove(first.id)
  const second = await landAll(service.url, file)
  await remove(second.id)
  for (const { id } of [first, second]) await makeOld(id)
  for (const { id } of [first, second]) await forgotten(id)
  expect((await landAll(service.url, file)).id).toBe(first.id)
  expect((await fetch(urlOf(first.id), { headers: { 'If-None-Match': tag } })).status).toBe(200)
})

it('The next chunk of a file finds its upload, however often the file was deleted', async () => {
  const ids = new Set<string>()
  for (let generation = 0; generation < 20; generation++) {
    const { id } = await land(service.url, file, 0)
    ids.add(id)
    await remove(id)
  }
  expect(ids.size).toBe(20)
  const { id } = await land(service.url, file, 1)
  expect(ids.has(id)).toBe(false)
  service = await service.restart()
  expect((await landAll(service.url, file)).id).toBe(id)
})
