import { rm } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { Notes } from '../../server/disk/notes.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/folder.ts'

let folder: TemporaryFolder
let notes: Notes
beforeEach(async () => {
  folder = await temporaryFolder()
  notes = new Notes(folder.path, 10)
})
afterEach(() => folder.dispose())

it('A note is added only if there is none', async () => {
  expect(await notes.add('name', 'first')).toBe(true)
  expect(await notes.add('name', 'second')).toBe(false)
  expect(await notes.read('name')).toBe('first')
})

it('A note whose file was deleted can be added again', async () => {
  await notes.add('name', 'first')
  await rm(path.join(folder.path, 'name'))
  expect(await notes.add('name', 'second')).toBe(true)
  expect(await new Notes(folder.path, 10).read('name')).toBe('second')
})
