import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  FieldList,
  type Fields,
  LONGEST_VALUE,
  MOST_VALUES,
  oneValue,
  wholeNumber,
} from '../../legacy-adapter/fields.ts'
import { addUrlencoded } from '../../legacy-adapter/urlencoded.ts'

function queryFields(query: string, identityFields: readonly string[]): Fields {
  const list = new FieldList(identityFields)
  addUrlencoded(list, query)
  return list.fields
}

function fieldsOf(...values: string[]): Fields {
  return new Map(values.length === 0 ? [] : [['chunk', values]])
}

describe('A list of fields', () => {
  test('keeps only the fields that are read', () => {
    const fields = queryFields('__proto__=a&constructor=b&=d&task_id=t&md5=1&other=2&name=x&name=y&', [
      'md5',
      '__proto__',
    ])
    expect([...fields].map(([name, values]) => [name, ...values])).toEqual([
      ['__proto__', 'a'],
      ['task_id', 't'],
      ['md5', '1'],
      ['name', 'x', 'y'],
    ])
    expect(oneValue(fields, 'toString')).toBeUndefined()
  })

  test('bounds the number and the length of values', () => {
    const fields = new FieldList([])
    for (let count = 0; count < MOST_VALUES; count++) fields.add('id', Buffer.alloc(LONGEST_VALUE))
    expect(() => fields.add('id', Buffer.alloc(0))).toThrow(expect.objectContaining({ code: 'too_many_fields' }))
    expect(() => new FieldList([]).add('lastModifiedDate', Buffer.alloc(LONGEST_VALUE + 1))).toThrow(
      expect.objectContaining({ code: 'field_too_large', message: expect.stringContaining('"lastModifiedDate"') }),
    )
  })
})

describe('A single value', () => {
  test('is read if absent, empty, or given once, and refused if given twice', () => {
    expect(oneValue(fieldsOf(), 'chunk')).toBeUndefined()
    expect(oneValue(fieldsOf(''), 'chunk')).toBe('')
    expect(oneValue(fieldsOf('1'), 'chunk')).toBe('1')
    expect(oneValue(fieldsOf('1', '1', '1'), 'chunk')).toBe('1')
  })

  test.each([[['1', '2']], [['', '2']], [['1', '01']], [['1', '1', '2']]])('is refused for %j', (values) => {
    expect(() => oneValue(fieldsOf(...values), 'chunk')).toThrow(
      expect.objectContaining({ code: 'duplicate_field', message: expect.stringContaining('"chunk"') }),
    )
  })
})

describe('A query', () => {
  test('may be escaped in GBK, or incorrectly', () => {
    const fields = queryFields('name=%B2%E2+%ca%d4.txt&id=%zz%4&task_id', [])
    expect(oneValue(fields, 'name')).toBe('测 试.txt')
    expect([oneValue(fields, 'id'), oneValue(fields, 'task_id')]).toEqual(['%zz%4', ''])
  })
})

describe('The token field', () => {
  test('is kept apart from the other fields, and an empty value counts as absent', () => {
    const list = new FieldList([], 'token')
    addUrlencoded(list, 'token=a&token=&task_id=t&token=b')
    expect([...list.fields]).toEqual([['task_id', ['t']]])
    expect(list.tokens).toEqual(['a', 'b'])
  })

  test('is an unknown field without authentication', () => {
    const list = new FieldList([])
    addUrlencoded(list, `token=a&token=${'b'.repeat(LONGEST_VALUE + 1)}`)
    expect([...list.fields]).toEqual([])
    expect(list.tokens).toEqual([])
  })
})

describe('A whole number', () => {
  test.each([
    ['0', 0],
    ['7', 7],
    ['100000', 100_000],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('is read from %j as %d', (text, number) => {
    expect(wholeNumber(fieldsOf(text), 'chunk')).toBe(number)
  })

  test('may be absent', () => {
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
  ])('is not read from %j', (text) => {
    expect(() => wholeNumber(fieldsOf(text), 'chunk')).toThrow(
      expect.objectContaining({ code: 'bad_field', message: expect.stringContaining('"chunk"') }),
    )
  })

  test('is refused if given twice', () => {
    expect(() => wholeNumber(fieldsOf('1', '2'), 'chunk')).toThrow(expect.objectContaining({ code: 'duplicate_field' }))
  })

  test('is read from every number and nothing else', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (number) => wholeNumber(fieldsOf(String(number)), 'chunk') === number))
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!/^[0-9]+$/.test(text))
        expect(() => wholeNumber(fieldsOf(text), 'chunk')).toThrow(expect.objectContaining({ code: 'bad_field' }))
      }),
    )
  })
})
