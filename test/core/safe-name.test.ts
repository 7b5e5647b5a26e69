import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { safeName } from '../../server/core/safe-name.ts'
import { atOnce } from '../support/at-once.ts'

/** Names with characters that trouble file systems and terminals, in any position. */
const name = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) },
      {
        weight: 2,
        arbitrary: fc.constantFrom('.', '..', '/', '\\', ' ', '\0', '\r\n', '\u202e', '\ud800', 'é', '测', '😀'),
      },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
      { weight: 1, arbitrary: fc.integer({ min: 70, max: 260 }).map((count) => 'a'.repeat(count)) },
      { weight: 1, arbitrary: fc.integer({ min: 70, max: 100 }).map((count) => '测'.repeat(count)) },
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))

test.each([
  [undefined, 'file'],
  [null, 'file'],
  ['', 'file'],
  ['...', 'file'],
  ['a/b\\c.txt', 'c.txt'],
  ['C:\\fake\\x.jpg', 'x.jpg'],
  ['.gitignore', '.gitignore'],
  ['..a', '..a'],
  [' .a', '.a'],
  ['..', 'file'],
  ['a\\', 'a'],
  ['folder/', 'folder'],
  [`${'.'.repeat(300)}${'b'.repeat(40)}`, 'file'],
  [' a. ', 'a'],
  ['a\u202egnp.exe', 'agnp.exe'],
  ['a\u061cb\u200bc\u2060d\ufeffe\u00adf\u3164g\u2028h.txt', 'abcdefgh.txt'],
  ['\u200b', 'file'],
  [
    'می\u200cخواهم \u{1f469}\u200d\u{1f4bb} \u2764\ufe0f.txt',
    'می\u200cخواهم \u{1f469}\u200d\u{1f4bb} \u2764\ufe0f.txt',
  ],
  [`${'a'.repeat(300)}.tar.gz`, `${'a'.repeat(252)}.gz`],
  [`${'测'.repeat(100)}.txt`, `${'测'.repeat(83)}.txt`],
  [`${'a'.repeat(254)}. b`, `${'a'.repeat(252)}. b`],
  [`${'a'.repeat(253)} . ${'b'.repeat(40)}`, 'a'.repeat(253)],
  ['a\ud800b.txt', 'ab.txt'],
  ['a'.repeat(255), 'a'.repeat(255)],
])('The name %j becomes %j', (said, safe) => {
  expect(safeName(said)).toBe(safe)
})

test('Any name becomes one path component of at most 255 bytes, which stays as it is when made safe again', () => {
  fc.assert(
    fc.property(name, (said) => {
      const safe = safeName(said)
      expect(path.basename(safe)).toBe(safe)
      expect(path.win32.basename(safe)).toBe(safe)
      expect(safe).not.toMatch(/^\s|[.\s]$|[\u0000-\u001f\u007f-\u009f]|[\u061c\u200b\u202a-\u202e\u2060-\u206f\ufeff]/)
      expect(Buffer.byteLength(safe)).toBeGreaterThan(0)
      expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(255)
      expect(safeName(safe)).toBe(safe)
    }),
    { numRuns: 500 },
  )
})

test.each([' ', '.', ' .', '\u3000'])('A name with very many of %j is made safe in linear time', async (character) => {
  expect(await atOnce(() => safeName(`a${character.repeat(300_000)}b`))).toMatch(/^a/)
})

test('The file system accepts every safe name unchanged', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'landfall-test-'))
  try {
    await fc.assert(
      fc.asyncProperty(name, async (said) => {
        const file = path.join(folder, safeName(said))
        await writeFile(file, '')
        const names = await readdir(folder)
        await rm(file)
        expect(names).toEqual([safeName(said)])
      }),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
