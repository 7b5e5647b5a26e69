import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from '@jest/globals'
import { hasGrown } from '../../bench/soak/growth.ts'
import { grownColumns, type Sample, toCsv } from '../../bench/soak/samples.ts'
import { temporaryFolder } from '../support/folder.ts'

const SOAK = fileURLToPath(new URL('../../dist/bench/soak/main.js', import.meta.url))

/** 30 values: the results of `of`. */
const series = (of: (i: number) => number): number[] => Array.from({ length: 30 }, (_, i) => of(i))

describe('Growth', () => {
  it.each<[string, number[], boolean]>([
    ['level', series(() => 100), false],
    ['rising in the first third only', series((i) => Math.min(i, 10) * 50), false],
    ['up and down', series((i) => 100 + (i % 5) * 20), false],
    ['a single peak at the end', series((i) => (i === 29 ? 1000 : 100)), false],
    ['falling', series((i) => 500 - i * 10), false],
    ['rising by less than the margin', series((i) => 100 + i), false],
    ['rising all the time', series((i) => 100 + i * 5), true],
    ['higher in the last third', series((i) => (i < 20 ? 100 : 125)), true],
    ['rising, but too short to tell', [1, 2, 3, 400, 500, 600], false],
  ])('%s', (_name, values, expected) => {
    expect(hasGrown(values, { share: 0.1, fixed: 10 })).toBe(expected)
  })

  it('is reported by column, except for tombstones and counters', () => {
    const sample = (i: number): Sample => ({
      ...{ seconds: i, resident: 100, heap: 30, buffers: 8, files: 200 },
      ...{ descriptors: 30 + i * 3, tombstones: i * 100, done: i * 1000 },
    })
    const samples = Array.from({ length: 30 }, (_, i) => sample(i))
    expect(grownColumns(samples)).toEqual(['descriptors'])
    expect(toCsv(samples).split('\n')[2]).toBe('1,100,30,8,33,200,100,1000')
  })
})

describe('The soak', () => {
  it('loads the program, and writes a table and a chart', async () => {
    const folder = await temporaryFolder()
    try {
      const { stderr } = await promisify(execFile)(process.execPath, [SOAK, '--minutes', '0.08', '--out', folder.path])
      expect(stderr).toMatch(/^\d+ tasks, \d+ samples in \S+soak\.csv and soak\.svg\.\n$/)
      const lines = (await readFile(path.join(folder.path, 'soak.csv'), 'utf8')).trim().split('\n')
      expect(lines.length).toBeGreaterThan(1)
      expect(lines[0]).toBe('seconds,resident,heap,buffers,descriptors,files,tombstones,done')
      expect(await readFile(path.join(folder.path, 'soak.svg'), 'utf8')).toMatch(/^<svg /)
    } finally {
      await folder.dispose()
    }
  })
})
