import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  collectFields,
  LONGEST_NAME,
  LONGEST_VALUE,
  MOST_FIELDS,
  oneValue,
  wholeNumber,
} from '../../legacy-adapter/fields.ts'

function fieldsOf(...values: string[]): ReturnType<typeof collectFields> {
  return collectFields(values.map((value) => ['chunk', value]))
}

describe('collecting', () => {
  test('names are only names', () => {
    const fields = collectFields([
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['__proto__', 'c'],
      ['', 'd'],
    ])
    expect([...fields]).toEqual([
      ['__proto__', ['a', 'c']],
      ['constructor', ['b']],
      ['', ['d']],
    ])
    expect(oneValue(fields, 'toString')).toBeUndefined()
  })

  test('a query', () => {
    const fields = collectFields(new URLSearchParams('name=%E6%B5%8B+1.txt&size=1&obj%5Ba%5D=1'))
    expect(oneValue(fields, 'name')).toBe('测 1.txt')
    expect(oneValue(fields, 'obj[a]')).toBe('1')
  })

  test('the limits', () => {
    const pairs = Array.from({ length: MOST_FIELDS }, (_, index): [string, string] => [`f${index}`, ''])
    expect(collectFields(pairs).size).toBe(MOST_FIELDS)
    expect(() => collectFields([...pairs, ['f0', '']])).toThrow(expect.objectContaining({ code: 'too_many_fields' }))

    const name = 'é'.repeat(LONGEST_NAME / 2)
    expect(collectFields([[name, 'x'.repeat(LONGEST_VALUE)]]).size).toBe(1)
    for (const pair of [
      [`${name}x`, ''],
      ['a', 'x'.repeat(LONGEST_VALUE + 1)],
      ['a', `${'é'.repeat(LONGEST_VALUE / 2)}x`],
    ] as const) {
      expect(() => collectFields([pair])).toThrow(expect.objectContaining({ code: 'field_too_large' }))
    }
    expect(() => collectFields([['lastModifiedDate', 'x'.repeat(LONGEST_VALUE + 1)]])).toThrow('"lastModifiedDate"')
  })
})

describe('one value', () => {
  test('absent, empty, once, twice', () => {
    expect(oneValue(fieldsOf(), 'chunk')).toBeUndefined()
    expect(oneValue(fieldsOf(''), 'chunk')).toBe('')
    expect(oneValue(fieldsOf('1'), 'chunk')).toBe('1')
    expect(oneValue(fieldsOf('1', '1', '1'), 'chunk')).toBe('1')
  })

  test.each([[['1', '2']], [['', '2']], [['1', '01']], [['1', '1', '2']]])('%j', (values) => {
    expect(() => oneValue(fieldsOf(...values), 'chunk')).toThrow(
      expect.objectContaining({ code: 'duplicate_field', message: expect.stringContaining('"chunk"') }),
    )
  })
})

describe('whole numbers', () => {
  test.each([
    ['0', 0],
    ['7', 7],
    ['100000', 100_000],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('%j is %d', (text, number) => {
    expect(wholeNumber(fieldsOf(text), 'chunk')).toBe(number)
  })

  test('absent', () => {
    expect(wholeNumber(fieldsOf(), 'chunk')).toBeUndefined()
  })

  test.each([
    '',
    ' ',
    ' 1',
    '1 ',
    '1\n',
    '\t1',
    '-1',
    '-0',
    '+1',
    '1.5',
    '1.0',
    '.5',
    '1e3',
    '01',
    '00',
    '0x10',
    '1_000',
    '1,000',
    'NaN',
    'Infinity',
    'null',
    'undefined',
    '[object Object]',
    '１',
    '١',
    '1\u0000',
    '9007199254740992',
    '9007199254740993',
    '18446744073709551616',
    '9'.repeat(400),
  ])('%j is refused', (text) => {
    expect(() => wholeNumber(fieldsOf(text), 'chunk')).toThrow(
      expect.objectContaining({ code: 'bad_field', message: expect.stringContaining('"chunk"') }),
    )
  })

  test('two of them', () => {
    expect(() => wholeNumber(fieldsOf('1', '2'), 'chunk')).toThrow(expect.objectContaining({ code: 'duplicate_field' }))
  })

  test('every number and nothing but numbers', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (number) => wholeNumber(fieldsOf(String(number)), 'chunk') === number))
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!/^[0-9]+$/.test(text))
        expect(() => wholeNumber(fieldsOf(text), 'chunk')).toThrow(expect.objectContaining({ code: 'bad_field' }))
      }),
    )
  })
})
