import path from 'node:path'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { folderAt, folderByTemplate, isFolder, placeAt, templateProblem } from '../../server/core/folder.ts'

const facts = { id: '0123abcd', createdAt: '2026-11-27T23:59:59.999Z', owner: 'f'.repeat(32) }

describe('The folder of an upload', () => {
  it.each([
    ['', undefined],
    ['{yyyy}/{mm}/{dd}', '2026/11/27'],
    ['{owner}', facts.owner],
    ['files of {yyyy}-{mm}', 'files of 2026-11'],
    ['{id}', undefined],
    ['{yyyy}/{id}', '2026'],
    ['{id}/{yyyy}', '0123abcd/2026'],
    ['{yyyy}{id}', '20260123abcd'],
  ])('by the template %j is %j', (template, folder) => {
    expect(folderByTemplate(template, facts)).toBe(folder)
  })

  it('has one name for all uploads without an owner', () => {
    expect(folderByTemplate('{owner}', { ...facts, owner: undefined })).toBe('anonymous')
  })

  it('is always a folder, whatever the id and the template are', () => {
    const field = fc.constantFrom('{yyyy}', '{mm}', '{dd}', '{owner}', '{id}', '/', 'a', '-')
    const template = fc.array(field, { maxLength: 40 }).map((parts) => parts.join(''))
    const id = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/)
    fc.assert(
      fc.property(template, id, (template, id) => {
        if (templateProblem(template) !== undefined) return
        const folder = folderByTemplate(template, { ...facts, id })
        expect(folder === undefined || isFolder(folder)).toBe(true)
      }),
    )
  })
})

describe('A template', () => {
  it('with an unknown field is refused with those that are known', () => {
    expect(templateProblem('{yyyy}/{month}')).toBe(
      'must have no other fields than {yyyy}, {mm}, {dd}, {owner}, {id}; {month} is none',
    )
  })
})

describe('The place that an application chooses', () => {
  it.each([
    ['a.txt', undefined, 'a.txt'],
    ['a/b/c.txt', 'a/b', 'c.txt'],
    ['a/0123abcd/c.txt', 'a', 'c.txt'],
    ['0123abcd/c.txt', undefined, 'c.txt'],
    ['a/.htaccess', 'a', '.htaccess'],
    ['a/..b', 'a', '..b'],
    ['\u200b../a', 'file', 'a'],
    [' a\u200b. /b\u202e.txt ', 'a', 'b.txt'],
    [`a/${'b'.repeat(300)}.txt`, 'a', `${'b'.repeat(251)}.txt`],
  ])('%j is in the folder %j as %j', (path, folder, fileName) => {
    expect(placeAt(path, facts.id)).toEqual({ folder, fileName })
  })

  const WRONG = ['/etc/passwd', '/', '../a', 'a/../b', 'a/./b', './a', 'a//b', 'a/', '', '.', '..', '...', 'a/..']
  const WORSE = ['a\\b', 'a\\b/c', 'a\0/b', 'a/b\0', '.git/config', '\u200b.git/a', `${'a/'.repeat(17)}b`]
  it.each([...WRONG, ...WORSE, `${`${'a'.repeat(255)}/`.repeat(5)}b`])('%j is refused', (path) => {
    expect(placeAt(path, facts.id)).toBeUndefined()
  })

  it('may be only a folder, or none', () => {
    expect(folderAt('a/b', facts.id)).toEqual({ folder: 'a/b' })
    expect(folderAt('', facts.id)).toEqual({ folder: undefined })
    expect(folderAt('a/../..', facts.id)).toBeUndefined()
  })

  it('is below the files, whatever the path is', () => {
    const piece = fc.oneof(
      fc.constantFrom('..', '.', '/', '\\', '\0', '\u200b', '\u202e', ' ', 'a', '测'),
      fc.string({ unit: 'binary', maxLength: 3 }),
    )
    const anyPath = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(anyPath, (said) => {
        const place = placeAt(said, facts.id)
        if (place === undefined) return
        const { folder = '', fileName } = place
        const segments = [...(folder === '' ? [] : folder.split('/')), fileName]
        expect(path.posix.relative('/files', path.posix.join('/files', ...segments))).toBe(segments.join('/'))
        expect(segments).not.toContain('..')
        expect(folder === '' || isFolder(folder)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })
})
