import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from '@jest/globals'
import type { ErrorCode } from '../server/core/errors.ts'
import { type Dialect, statusOf } from '../server/http/error-status.ts'

const pathOf = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url))

/** Requests that receive different statuses. */
const REQUESTS: readonly (readonly [dialect: Dialect, method: string])[] = [
  ['tus', 'PATCH'],
  ['tus', 'HEAD'],
  ['draft', 'PATCH'],
  ['draft', 'HEAD'],
  ['early-draft', 'PATCH'],
  ['early-draft', 'HEAD'],
  ['legacy', 'POST'],
]

let page: string
let codes: readonly ErrorCode[]
beforeAll(async () => {
  page = await readFile(pathOf('docs/troubleshooting.md'), 'utf8')
  const source = await readFile(pathOf('server/http/error-status.ts'), 'utf8')
  const [, table = ''] = /Readonly<Record<ErrorCode, Statuses>> = \{\n([\s\S]*?)\n\}\n/.exec(source) ?? []
  // The compiler has checked that its keys are all codes.
  codes = [...table.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name as ErrorCode)
})

/** The rows of the table below a heading, each as its cells. */
function rowsBelow(heading: string): readonly (readonly string[])[] {
  const [, section = ''] = page.split(`\n## ${heading}\n`)
  const [table = ''] = section.split('\n## ')
  const lines = table.split('\n').filter((line) => line.startsWith('| '))
  return lines.slice(2).map((line) => line.split('|').map((cell) => cell.trim()))
}

/** The statuses of a code as the page writes them. */
function statusesOf(code: ErrorCode): string {
  const usual = statusOf(code, 'tus', 'PATCH')
  const others = [
    ['HEAD', statusOf(code, 'tus', 'HEAD')],
    ['draft', statusOf(code, 'draft', 'PATCH')],
    ['WebUploader', statusOf(code, 'legacy', 'POST')],
  ] as const
  return [usual, ...others.filter(([, status]) => status !== usual).map(([name, status]) => `${name} ${status}`)].join(
    ', ',
  )
}

describe('docs/troubleshooting.md', () => {
  it('explains every error code, with its statuses', () => {
    const explained = rowsBelow('Error codes').map(([, code = '', statuses, meaning = '', action = '']) => {
      expect([code, meaning.length > 10, action.length > 5]).toEqual([code, true, true])
      return [code.replaceAll('`', ''), statuses]
    })
    expect(codes.length).toBeGreaterThan(50)
    expect(Object.fromEntries(explained)).toEqual(Object.fromEntries(codes.map((code) => [code, statusesOf(code)])))
    expect(explained).toHaveLength(codes.length)
  })

  it('names the codes of every status', () => {
    const named = rowsBelow('Statuses').map(([, status, , list = '']) => [
      status,
      list.replaceAll('`', '').split(', ').sort(),
    ])
    const expected = new Map<string, ErrorCode[]>()
    for (const code of codes) {
      for (const status of new Set(REQUESTS.map(([dialect, method]) => statusOf(code, dialect, method)))) {
        expected.set(String(status), [...(expected.get(String(status)) ?? []), code].sort())
      }
    }
    expect(Object.fromEntries(named)).toEqual(Object.fromEntries(expected))
  })
})
