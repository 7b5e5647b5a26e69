import type { IncomingHttpHeaders } from 'node:http'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { UploadError } from '../../server/core/errors.ts'
import { interopVersion, parseAppend, parseCreation } from '../../server/draft/headers.ts'

/**
 * The characters that Node accepts in the value of a header: visible characters, spaces and tabs, and bytes above
 * ASCII.
 */
const anyValue = fc.oneof(
  fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength: 40 }),
  fc.constantFrom(
    '?1',
    '?0',
    '0',
    '5',
    '5;a=1',
    '-5',
    '5.0',
    '"5"',
    ':AAAA:',
    '(1 2)',
    '@5',
    '%"a"',
    '5, 5',
    ' 5',
    '?1;x',
    '?2',
  ),
  fc.integer().map(String),
  fc.double().map(String),
)

const NAMES = [
  'upload-draft-interop-version',
  'upload-complete',
  'upload-offset',
  'upload-length',
  'upload-metadata',
  'content-type',
  'content-length',
  'content-encoding',
  'content-disposition',
  'transfer-encoding',
  'repr-digest',
] as const

const anyHeaders: fc.Arbitrary<IncomingHttpHeaders> = fc.dictionary(fc.constantFrom(...NAMES), anyValue)

const COMPLETE = { 'upload-complete': '?0' }
const APPEND = { ...COMPLETE, 'content-type': 'application/partial-upload', 'upload-offset': '7' }

/** The result of `parse`, or the `UploadError` that it throws; other errors are rethrown. */
function outcome<T>(parse: () => T): T | UploadError {
  try {
    return parse()
  } catch (error) {
    if (error instanceof UploadError) return error
    throw error
  }
}

/** No Item whose bare item is a non-negative Integer (RFC 9651 §3.3.1): at most 15 digits, with parameters at most. */
const noInteger = anyValue.filter((value) => !/^ *-?\d{1,15}(;.*)? *$/.test(value))
const noBoolean = anyValue.filter((value) => !/^ *\?[01](;.*)? *$/.test(value))

describe('parseCreation and parseAppend', () => {
  it('throw nothing but UploadErrors with a sentence', () => {
    fc.assert(
      fc.property(anyHeaders, fc.constantFrom({}, COMPLETE, APPEND), (some, more) => {
        for (const parse of [parseCreation, parseAppend]) {
          const found = outcome(() => parse({ ...more, ...some }))
          if (found instanceof UploadError) expect(found.message).toMatch(/^[A-Z].*\.$/s)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('return whole numbers of bytes that are not negative', () => {
    fc.assert(
      fc.property(anyHeaders, (some) => {
        const found = outcome(() => parseAppend({ ...APPEND, ...some }))
        if (found instanceof UploadError) return
        for (const bytes of [found.offset, found.length ?? 0]) {
          expect(Number.isSafeInteger(bytes) && bytes >= 0).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('ignore an Upload-Length that is no Integer', () => {
    fc.assert(
      fc.property(noInteger, (value) => {
        expect(parseCreation({ ...COMPLETE, 'upload-length': value })).toEqual(parseCreation(COMPLETE))
        expect(parseAppend({ ...APPEND, 'upload-length': value })).toEqual(parseAppend(APPEND))
      }),
    )
  })

  it('ignore an interop version that is no Integer', () => {
    fc.assert(
      fc.property(noInteger, (value) => {
        expect(interopVersion({ 'upload-draft-interop-version': value })).toBeUndefined()
      }),
    )
  })

  it('ignore an Upload-Offset or Upload-Complete of another type, so that it is missing', () => {
    fc.assert(
      fc.property(noInteger, noBoolean, (offset, complete) => {
        for (const found of [
          outcome(() => parseAppend({ ...APPEND, 'upload-offset': offset })),
          outcome(() => parseAppend({ ...APPEND, 'upload-complete': complete })),
          outcome(() => parseCreation({ 'upload-complete': complete })),
        ]) {
          expect(found).toMatchObject({ code: 'bad_request' })
        }
      }),
    )
  })

  it('read every Integer and Boolean, with any parameters', () => {
    const parameters = fc.constantFrom('', ';a', ';a=1', ';a="x";b=?0', '; a=:AA==:')
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 999_999_999_999_999 }),
        fc.boolean(),
        parameters,
        (bytes, complete, more) => {
          const headers = { 'upload-complete': `?${complete ? 1 : 0}${more}`, 'upload-length': `${bytes}${more}` }
          expect(parseCreation(headers)).toMatchObject({ complete, length: bytes })
          const append = { ...APPEND, ...headers, 'upload-offset': `${bytes}${more}` }
          expect(parseAppend(append)).toMatchObject({ complete, length: bytes, offset: bytes })
        },
      ),
    )
  })

  it('take the sum of offset and Content-Length as the length of a last append, and refuse another Upload-Length', () => {
    const size = fc.integer({ min: 0, max: 1_000_000_000 })
    fc.assert(
      fc.property(size, size, size, (offset, rest, said) => {
        const ending = { ...APPEND, 'upload-offset': `${offset}`, 'upload-complete': '?1', 'content-length': `${rest}` }
        expect(parseAppend(ending).length).toBe(offset + rest)
        const found = outcome(() => parseAppend({ ...ending, 'upload-length': `${said}` }))
        if (said === offset + rest) expect(found).toMatchObject({ length: said })
        else expect(found).toMatchObject({ code: 'wrong_length' })
        expect(parseAppend({ ...ending, 'upload-complete': '?0' }).length).toBeUndefined()
      }),
    )
  })
})
