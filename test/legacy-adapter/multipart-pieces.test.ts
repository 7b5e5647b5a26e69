import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { FieldList } from '../../legacy-adapter/fields.ts'
import { readMultipart } from '../../legacy-adapter/multipart.ts'
import { UploadError } from '../../server/core/errors.ts'
import { ArraySource, cutAt, LendingSource } from '../support/array-source.ts'

const BOUNDARY = 'b-b'

/** Bodies, right ones and wrong ones, made of what they are made of. */
const body = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(`--${BOUNDARY}`, `\r\n--${BOUNDARY}`, '\r\n', `\r\n--${BOUNDARY}--`) },
      {
        weight: 4,
        arbitrary: fc.constantFrom(
          'Content-Disposition: form-data; name="a"\r\n\r\n',
          'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\n',
          'Content-Disposition: form-data; name="file"; filename*=UTF-8\'\'%e6%b5%8b\r\n\r\n',
          'Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=utf-16le\r\n\r\n',
          'Content-Disposition: form-data;\r\n name="a"\r\n\r\n',
          'Content-Disposition: attachment\r\n\r\n',
          'Content-Disposition: form-data; name="other"\r\n\r\n',
          'Content-Disposition: form-data; name="name"\r\nContent-Type: text/plain; charset=gbk\r\n\r\n',
          'X: y\r\n\r\n',
        ),
      },
      {
        weight: 2,
        arbitrary: fc.constantFrom('\r', '\n', '-', '--', `\r\n--${BOUNDARY.slice(0, -1)}`, '测', '\0', ' '),
      },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 5 }) },
      { weight: 1, arbitrary: fc.constantFrom('x'.repeat(8192), 'x'.repeat(8193), 'x'.repeat(17_000)) },
    ),
    { maxLength: 14 },
  )
  .map((parts) => Buffer.from(parts.join('')))

/** A whole form with something in between. */
const form = fc
  .tuple(body, body)
  .map(([inside, behind]) =>
    Buffer.concat([
      Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--${BOUNDARY}\r\n`),
      Buffer.from('Content-Disposition: form-data; name="file"; filename="f"\r\n\r\n'),
      inside,
      Buffer.from(`\r\n--${BOUNDARY}\r\nContent-Disposition: form-data; name="late"\r\n\r\n2\r\n--${BOUNDARY}--`),
      behind,
    ]),
  )

/** All that a reader is told of a body, up to and including the error. */
async function outcomeOf(pieces: readonly Buffer[]): Promise<unknown> {
  const file: Buffer[] = []
  try {
    const source = new LendingSource(ArraySource.of(...pieces))
    const type = `multipart/form-data; boundary=${BOUNDARY}`
    const request = await readMultipart(source, type, undefined, () => new FieldList(['a', 'late']))
    const told = { fields: [...request.fields], fileName: request.fileName }
    try {
      for (let batch = await request.file.read(); batch !== null; batch = await request.file.read()) {
        file.push(Buffer.concat(batch))
      }
      return { ...told, file: Buffer.concat(file).toString('latin1'), trailing: [...request.file.trailing.fields] }
    } catch (error) {
      // How much was handed out before the error depends on the pieces.
      return { ...told, error: codeOf(error) }
    }
  } catch (error) {
    return { error: codeOf(error) }
  }
}

function codeOf(error: unknown): string {
  if (error instanceof UploadError) return `${error.code}: ${error.message}`
  throw error
}

test.each([
  ['anything', body],
  ['a form', form],
])('A body with %s has the same result in any pieces', async (_name, arbitrary) => {
  await fc.assert(
    fc.asyncProperty(arbitrary, fc.array(fc.nat(100_000), { maxLength: 8 }), async (bytes, places) => {
      const whole = await outcomeOf([bytes])
      expect(await outcomeOf(cutAt(bytes, places))).toEqual(whole)
      if (bytes.length < 2000) expect(await outcomeOf([...bytes].map((byte) => Buffer.of(byte)))).toEqual(whole)
    }),
    { numRuns: 150 },
  )
})
