import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { ATTRIBUTES } from '../../client/element/attributes.ts'
import { english } from '../../client/element/i18n/en.ts'
import { fileTexts } from '../../client/element/i18n/en-files.ts'
import { chinese } from '../../client/element/i18n/zh.ts'
import { BUILT_PAGES } from '../support/service.ts'

describe('The module of <landfall-upload>', () => {
  it('can be imported without a DOM, and defines nothing then', async () => {
    const code = `import(${JSON.stringify(path.join(BUILT_PAGES, 'landfall-upload.js'))}).then((m) => console.log(typeof m.LandfallUpload))`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code], {
      env: { PATH: process.env['PATH'] ?? '' },
    })
    expect(stdout.trim()).toBe('undefined')
  })

  it('is described with all of its attributes in custom-elements.json', async () => {
    const { modules } = JSON.parse(await readFile(path.join(BUILT_PAGES, 'custom-elements.json'), 'utf8'))
    const [declaration] = modules[0].declarations
    expect(declaration.attributes.map(({ name }: { name: string }) => name)).toEqual([...ATTRIBUTES])
  })

  it('has the same placeholders in each language', () => {
    const placeholders = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map(([found]) => found).sort()
    for (const [key, text] of Object.entries({ ...english, ...fileTexts })) {
      const translated = Object.entries(chinese).find(([other]) => other === key)?.[1] ?? ''
      expect([key, placeholders(translated)]).toEqual([key, placeholders(text)])
    }
  })
})

/** Compressed bytes of a built file, by its path in the built site. */
async function sizeOf(file: string): Promise<number> {
  return gzipSync(await readFile(path.join(BUILT_PAGES, file)), { level: 9 }).length
}

/** A built module, and those that it imports but not by `import()`. */
async function withImports(file: string, seen = new Set<string>()): Promise<ReadonlySet<string>> {
  seen.add(file)
  const code = await readFile(path.join(BUILT_PAGES, file), 'utf8')
  for (const [, imported = ''] of code.matchAll(/import(?:\{[^}]*\}from)?"(\.[^"]+)"/g)) {
    const next = path.join(path.dirname(file), imported)
    if (!seen.has(next)) await withImports(next, seen)
  }
  return seen
}

describe('The size of <landfall-upload>', () => {
  it('is at most 15 kB, compressed, before there are files', async () => {
    const files = [...(await withImports('landfall-upload.js'))]
    expect(files.length).toBeGreaterThan(1)
    const sizes = await Promise.all(files.map(sizeOf))
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(15_000)
  })

  it('is described in docs/element.md, file by file', async () => {
    const page = await readFile('docs/element.md', 'utf8')
    const described = [...page.matchAll(/^\| `(\S+)\.js` \| .* \| (\d+\.\d) kB \|$/gm)]
    const built = ['landfall-upload.js', ...(await readdir(path.join(BUILT_PAGES, 'assets')))]
    const isOfPage = (name: string): boolean => name.startsWith('index-') || !name.endsWith('.js')
    const sizes = await Promise.all(
      built
        .filter((name) => !isOfPage(name))
        .map(async (name): Promise<[string, number]> => {
          const file = name === 'landfall-upload.js' ? name : `assets/${name}`
          return [name.replace(/(-[\w-]{8})?\.js$/, ''), (await sizeOf(file)) / 1000]
        }),
    )
    expect(described.map(([, name]) => name).sort()).toEqual(sizes.map(([name]) => name).sort())
    for (const [name, size] of sizes) {
      const said = Number(described.find(([, other]) => other === name)?.[2])
      expect([name, Math.abs(said - size) < 0.3]).toEqual([name, true])
    }
  })
})
