import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { BodyBytes } from '../../legacy-adapter/body-bytes.ts'
import { ArraySource, cutAt, LendingSource } from '../support/array-source.ts'

/** What may be done with the bytes, one after the other. */
type Step =
  | { readonly kind: 'peek' | 'take'; readonly count: number }
  | { readonly kind: 'takeUntil'; readonly mark: string; readonly limit: number }
  | { readonly kind: 'skipThrough'; readonly mark: string }
  | { readonly kind: 'startsWith'; readonly pattern: string }
  | { readonly kind: 'putBack'; readonly count: number }

const letters = fc.stringMatching(/^[ab]{0,40}$/)
const few = fc.stringMatching(/^[ab]{1,4}$/)

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('peek' as const, 'take' as const), count: fc.nat(12) }),
  fc.record({ kind: fc.constant('takeUntil' as const), mark: few, limit: fc.nat(20) }),
  fc.record({ kind: fc.constant('skipThrough' as const), mark: few }),
  fc.record({ kind: fc.constant('startsWith' as const), pattern: few }),
  fc.record({ kind: fc.constant('putBack' as const), count: fc.nat(12) }),
)

/** The same on a text: too simple to be wrong. @returns what the step gives, and what is left; `cut` when the text is too short. */
function onText(left: string, one: Step): { readonly gives: unknown; readonly left: string } | 'cut' {
  switch (one.kind) {
    case 'peek':
      return left.length < one.count ? 'cut' : { gives: left.slice(0, one.count), left }
    case 'take':
      return left.length < one.count ? 'cut' : { gives: left.slice(0, one.count), left: left.slice(one.count) }
    case 'takeUntil': {
      const end = left.indexOf(one.mark)
      if (end !== -1 && end <= one.limit) return { gives: left.slice(0, end), left: left.slice(end) }
      return end === -1 && left.length < one.limit + one.mark.length ? 'cut' : { gives: undefined, left }
    }
    case 'skipThrough': {
      const start = left.indexOf(one.mark)
      return start === -1 ? 'cut' : { gives: undefined, left: left.slice(start + one.mark.length) }
    }
    case 'startsWith': {
      const differing = [...one.pattern].findIndex((letter, i) => left[i] !== letter)
      return differing !== -1 && left.length === differing ? 'cut' : { gives: differing === -1, left }
    }
    case 'putBack':
      return { gives: undefined, left }
  }
}

async function onBytes(bytes: BodyBytes, one: Step): Promise<unknown> {
  switch (one.kind) {
    case 'peek':
      return (await bytes.peek(one.count)).toString().slice(0, one.count)
    case 'take':
      await bytes.peek(one.count)
      return bytes.take(one.count).toString()
    case 'takeUntil':
      return (await bytes.takeUntil(Buffer.from(one.mark), one.limit))?.toString()
    case 'skipThrough':
      return bytes.skipThrough(Buffer.from(one.mark))
    case 'startsWith':
      return bytes.startsWith(Buffer.from(one.pattern))
    case 'putBack': {
      const batch = await bytes.next()
      const [first = Buffer.alloc(0), ...others] = batch ?? []
      bytes.putBack(first, others)
      return undefined
    }
  }
}

test('BodyBytes returns the same for a body in any pieces', async () => {
  await fc.assert(
    fc.asyncProperty(letters, fc.array(fc.nat(60)), fc.array(step, { maxLength: 12 }), async (text, places, steps) => {
      const pieces = cutAt(Buffer.from(text), places)
      const bytes = new BodyBytes(new LendingSource(ArraySource.of(...pieces)))
      // The CRLF that stands in front belongs to no body.
      let left = `\r\n${text}`
      for (const one of steps) {
        const expected = onText(left, one)
        if (expected === 'cut') {
          await expect(onBytes(bytes, one)).rejects.toMatchObject({ code: 'malformed_body' })
          return
        }
        expect([one, await onBytes(bytes, one)]).toEqual([one, expected.gives])
        left = expected.left
        expect(bytes.position).toBe(text.length - left.length)
      }
    }),
    { numRuns: 500 },
  )
})
