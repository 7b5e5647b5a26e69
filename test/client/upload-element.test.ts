import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from '@jest/globals'
import { ATTRIBUTES } from '../../client/element/attributes.ts'
import { english } from '../../client/element/i18n/en.ts'
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
    for (const [key, text] of Object.entries(english)) {
      const translated = Object.entries(chinese).find(([other]) => other === key)?.[1] ?? ''
      expect([key, placeholders(translated)]).toEqual([key, placeholders(text)])
    }
  })
})
