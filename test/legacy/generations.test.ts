import { utimes } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { until } from '../http/wire.ts'
import { startService, type TestService } from '../support/service.ts'
import { createUpload, TUS } from '../support/tus.ts'
import { idOf } from '../tus/steps.ts'
import { bytesOf, cut, landAll } from './landing.ts'

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

/** Waits until what is long gone has been forgotten, as far as it may be. */
async function sweep(): Promise<void> {
  // The second is made when the sweep that forgets the first may have passed by what a test looks at.
  for (let i = 0; i < 2; i++) {
    const id = idOf(await createUpload(service.url, 10))
    await remove(id)
    await makeOld(id)
    await forgotten(id)
  }
}

it('an upload that is long gone is not found any more; one that has just gone is told as gone', async () => {
  const [old, young] = [idOf(await createUpload(service.url, 10)), idOf(await createUpload(service.url, 10))]
  for (const id of [old, young]) await remove(id)
  await makeOld(old)
  await forgotten(old)
  expect((await fetch(urlOf(young))).status).toBe(410)
})

it('a file that was deleted and sent again keeps its place when the deletion is long ago', async () => {
  const first = await landAll(service.url, file)
  await remove(first.id)
  const second = await landAll(service.url, file)
  expect(second.id).not.toBe(first.id)
  await makeOld(first.id)
  await sweep()
  expect((await fetch(urlOf(first.id))).status).toBe(410)
  expect((await landAll(service.url, file)).id).toBe(second.id)
})

it('a file of which every upload is long gone begins anew, and is not taken for the old one by a cache', async () => {
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
