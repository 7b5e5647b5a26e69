import { createHash } from 'node:crypto'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { UploadError } from '../../server/core/errors.ts'
import { formatMetadata, parseMetadata } from '../../server/protocol/upload-metadata.ts'
import { checksummed } from '../../server/tus/checksum.ts'
import { parseAppend, parseCreation } from '../../server/tus/headers.ts'
import { ArraySource, cutAt, LendingSource } from '../support/array-source.ts'

type Headers = Readonly<Record<string, string>>

const base64 = (text: string): string => Buffer.from(text).toString('base64')
/** The characters that Node allows in a header, one per byte. */
const value = fc.oneof(
  fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)), maxLength: 30 }),
  fc.constantFrom(
    '',
    '0',
    '-1',
    '1.5',
    '1e3',
    '0x5',
    '9007199254740992',
    '1, 1',
    'final;',
    'final; /files/a',
    'partial',
    '__proto__ YQ==',
  ),
)
const NAMES = [
  'upload-length',
  'upload-offset',
  'upload-defer-length',
  'upload-metadata',
  'upload-concat',
  'content-type',
  'content-length',
]

/** @returns the result, or the code of the error. */
function outcomeOf<T>(parse: () => T): T | string {
  try {
    return parse()
  } catch (error) {
    if (error instanceof UploadError) return error.code
    throw error
  }
}

describe('The headers of a creation', () => {
  it('are parsed or refused, whatever they are', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...NAMES), value), (headers) => {
        const creation = outcomeOf(() => parseCreation(headers))
        if (typeof creation === 'string') expect(creation).toBe('bad_request')
        else if ('length' in creation)
          expect(creation.length === null || Number.isSafeInteger(creation.length)).toBe(true)
        const append = outcomeOf(() => parseAppend(headers))
        if (typeof append === 'string')
          expect(['bad_request', 'unsupported_type', 'unsupported_coding']).toContain(append)
        else expect(Number.isSafeInteger(append.offset) && append.offset >= 0).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('have the length that their decimal digits state', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (length) => {
        expect(parseCreation({ 'upload-length': String(length) })).toMatchObject({ length })
        const append = { 'content-type': 'application/offset+octet-stream', 'upload-offset': String(length) }
        expect(parseAppend(append)).toMatchObject({ offset: length })
      }),
    )
  })

  it('return any metadata byte for byte', () => {
    fc.assert(
      fc.property(value, (header) => {
        const { metadata, rawMetadata } = parseMetadata(header)
        if (header.trim() !== '') expect(formatMetadata({ metadata, rawMetadata })).toBe(header)
        expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype)
        // The record, read back, has the same value.
        expect(JSON.parse(JSON.stringify(metadata))).toEqual(metadata)
      }),
      { numRuns: 500 },
    )
  })

  it('return keys and values as sent', () => {
    const key = fc.oneof(
      fc.stringMatching(/^[!#-+\--~]{1,12}$/),
      fc.constantFrom('constructor', 'toString', 'hasOwnProperty', 'md5', 'filename'),
    )
    const pairs = fc.uniqueArray(fc.tuple(key, fc.option(fc.string({ unit: 'grapheme' }))), {
      minLength: 1,
      maxLength: 6,
      selector: ([name]) => name,
    })
    fc.assert(
      fc.property(pairs, fc.constantFrom(',', ', ', ' ,', '\t,', ',,', ', ,'), (list, comma) => {
        const header = list.map(([name, text]) => (text === null ? name : `${name} ${base64(text)}`)).join(comma)
        const headers: Headers = { 'upload-length': '1', 'upload-metadata': header }
        const creation = outcomeOf(() => parseCreation(headers))
        if (typeof creation === 'string') throw new Error(`${header} was refused`)
        expect(formatMetadata(creation)).toBe(header)
        for (const [name, text] of list) {
          expect(Object.entries(creation.metadata)).toContainEqual([name, text || null])
        }
      }),
    )
  })
})

describe('A body with a checksum', () => {
  function requestWith(headers: Headers, trailers: Headers): IncomingMessage {
    const request = new IncomingMessage(new Socket())
    Object.assign(request.headers, headers)
    Object.assign(request.trailers, trailers)
    return request
  }

  /** @returns the bytes, or the code of the error at their end. */
  async function read(bytes: Buffer, places: readonly number[], headers: Headers, trailers: Headers = {}) {
    const body = new LendingSource(ArraySource.of(...cutAt(bytes, places)))
    const pieces: Buffer[] = []
    try {
      const { source } = checksummed(requestWith(headers, trailers), body)
      for (let batch = await source.read(); batch !== null; batch = await source.read())
        pieces.push(Buffer.concat(batch))
    } catch (error) {
      if (error instanceof UploadError) return error.code
      throw error
    }
    return Buffer.concat(pieces).toString('hex')
  }

  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
  const algorithm = fc.constantFrom('sha1', 'sha256', 'md5')
  const places = fc.array(fc.nat(300), { maxLength: 5 })

  it('is accepted if and only if it matches, as a header or as a trailer', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, places, algorithm, bytes, fc.boolean(), async (body, cuts, name, other, isTrailer) => {
        const digest = createHash(name).update(other).digest('base64')
        const checksum = { 'upload-checksum': `${name} ${digest}` }
        const found = isTrailer
          ? await read(body, cuts, { trailer: 'X, Upload-Checksum' }, checksum)
          : await read(body, cuts, checksum)
        expect(found).toBe(body.equals(other) ? body.toString('hex') : 'checksum_mismatch')
        const whole = createHash(name).update(body).digest()
        const cut = whole.subarray(0, 1 + (other.length % (whole.length - 1))).toString('base64')
        expect(await read(body, cuts, { 'upload-checksum': `${name} ${cut}` })).toBe('checksum_mismatch')
        const changed = Buffer.from(whole)
        const place = other.length % whole.length
        changed[place] = (whole[place] ?? 0) ^ 1
        const nearly = { 'upload-checksum': `${name} ${changed.toString('base64')}` }
        expect(await read(body, cuts, nearly)).toBe('checksum_mismatch')
        const right = { 'upload-checksum': `${name} ${whole.toString('base64')}` }
        expect(await read(body, cuts, right)).toBe(body.toString('hex'))
      }),
    )
  })

  it('is refused with an invalid header, and read without one', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, value, async (body, text) => {
        const isOne = /^\s*(sha1|sha256|md5)[ \t]+[A-Za-z0-9+/]+=*\s*$/i.test(text)
        fc.pre(!isOne)
        expect(await read(body, [], { 'upload-checksum': text })).toBe('bad_request')
        expect(await read(body, [], { trailer: text.replace(/upload-checksum/i, '') })).toBe(body.toString('hex'))
      }),
    )
  })
})
