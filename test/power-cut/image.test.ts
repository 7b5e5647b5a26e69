import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { memoryFolder } from '../support/folder.ts'
import { Random } from '../support/random.ts'
import { historyOf } from './history.ts'
import { type Loss, writeImage } from './image.ts'
import { type Line, parseLog } from './recorder-log.ts'

const PAGE = 4096

let folder: Awaited<ReturnType<typeof memoryFolder>>
beforeEach(async () => {
  folder = await memoryFolder()
})
afterEach(() => folder.dispose())

type Done = Readonly<Record<string, string | number>>

/** A recording of sequential operations; the id of each is its index in the list. */
function recorded(done: readonly Done[]): Line[] {
  const lines = done.flatMap((operation, i) => [
    { at: 'begin', id: String(i), ...operation },
    { at: 'end', id: String(i) },
  ])
  return parseLog(lines.map((line) => JSON.stringify(line)).join('\n'))
}

const make = (name: string): Done => ({ op: 'open', path: `/d/${name}`, flags: 'wx' })
const open = (name: string): Done => ({ op: 'open', path: name, flags: 'r' })
const sync = (handle: number): Done => ({ op: 'sync', handle: String(handle), what: 'all' })
const write = (handle: number, position: number, bytes: Buffer): Done => ({
  op: 'write',
  handle: String(handle),
  position,
  bytes: bytes.toString('base64'),
})

/** The content of the directory `/d` after a cut at the end. */
function after(done: readonly Done[], loss: Loss, inOrder = false, seed = 1): Record<string, string> {
  const target = mkdtempSync(`${folder.path}/`)
  const lines = recorded(done)
  writeImage(historyOf(lines, '/d'), { at: lines.length, loss, inOrder, random: new Random(seed) }, target)
  const entries = readdirSync(target, { withFileTypes: true })
  const contentOf = (name: string): string => readFileSync(path.join(target, name), 'latin1')
  return Object.fromEntries(entries.map((entry) => [entry.name, entry.isFile() ? contentOf(entry.name) : '/']))
}

/** All possible states after the cut, as texts made by `tell`. */
function outcomes(done: readonly Done[], inOrder: boolean, tell: (files: Record<string, string>) => string): string[] {
  const seeds = [...Array(200).keys()]
  return [...new Set(seeds.map((seed) => tell(after(done, 'anything', inOrder, seed))))].sort()
}

const names = (files: Record<string, string>): string => Object.keys(files).join()

describe('A disk after a power cut', () => {
  it('has a file only if its directory was synced after its creation, and its bytes only if they were synced', () => {
    const first = [make('a'), write(0, 0, Buffer.from('abc')), sync(0)]
    expect(after(first, 'all')).toEqual({})
    const second = [make('b'), open('/d'), sync(4), write(3, 0, Buffer.from('x'))]
    expect(after([...first, ...second], 'all')).toEqual({ a: 'abc', b: '' })
  })

  it('has every byte when nothing is lost', () => {
    const done = [make('a'), write(0, 1, Buffer.from('bc')), { op: 'rename', from: '/d/a', to: '/d/b' }]
    expect(after(done, 'nothing')).toEqual({ b: '\0bc' })
  })

  it('has a file under its old name or the new one', () => {
    const done = [make('a'), open('/d'), sync(1), { op: 'rename', from: '/d/a', to: '/d/b' }]
    expect(outcomes(done, false, names)).toEqual(['a', 'b'])
  })

  it('has nothing in a directory that is itself missing, even if it was synced', () => {
    const done = [{ op: 'mkdir', path: '/d/e' }, make('e/a'), open('/d/e'), sync(2)]
    expect(outcomes(done, false, names)).toEqual(['', 'e'])
    expect(after(done, 'all')).toEqual({})
  })

  it('has each page of unsynced bytes or not, in any combination, and zeros where the size says more', () => {
    const done = [make('a'), open('/d'), sync(1), write(0, 0, Buffer.alloc(3 * PAGE, 'x'))]
    const pages = outcomes(done, false, ({ a = '' }) => [0, 1, 2].map((page) => a.charAt(page * PAGE)).join('|'))
    const all = ['\0', 'x'].flatMap((a) => ['\0', 'x'].flatMap((b) => ['\0', 'x'].map((c) => `${a}|${b}|${c}`)))
    expect(pages).toEqual(['||', ...all].sort())
  })

  it('has the changes in a directory in any combination, or in order', () => {
    const done = [make('a'), make('b')]
    expect(outcomes(done, false, names)).toEqual(['', 'a', 'a,b', 'b'])
    expect(outcomes(done, true, names)).toEqual(['', 'a', 'a,b'])
  })

  it('has the durable bytes where they are overwritten', () => {
    const done = [
      make('a'),
      open('/d'),
      sync(1),
      write(0, 0, Buffer.from('old')),
      sync(0),
      write(0, 0, Buffer.from('new')),
    ]
    expect(outcomes(done, false, ({ a = '' }) => a)).toEqual(['new', 'old'])
  })
})
