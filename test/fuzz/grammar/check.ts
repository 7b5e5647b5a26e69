import fc from 'fast-check'
import { framing, type Header, type Message } from '../message.ts'
import { KEPT_TASK } from '../placeholder-ids.ts'
import { chunk } from './legacy-file.ts'
import { queryOf } from './query.ts'
import { edited, edits, mostly, oddText } from './text.ts'

const json: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '{',
    '{}',
    '[]',
    'null',
    '{"task_id":{}}',
    '{"size":1e999}',
    '{"task_id":null}',
    `{"a":${'['.repeat(5000)}`,
    ' {"a":1}',
  ),
  fc.json({ maxDepth: 3 }),
  fc
    .record({
      task_id: fc.constantFrom('t', KEPT_TASK, '', 5),
      name: fc.constantFrom('a.bin', 'kept.bin', true),
      size: fc.constantFrom(3000, '3000', -1, 1e300, '0'),
    })
    .map((fields) => JSON.stringify(fields)),
)

const fields: fc.Arbitrary<readonly Header[]> = fc.oneof(
  chunk.map((one) => one.fields),
  fc.constant<readonly Header[]>([
    ['task_id', KEPT_TASK],
    ['name', 'kept.bin'],
    ['size', '3000'],
  ]),
)

const form = fc.tuple(fields, edits).chain(([list, changes]) => queryOf(edited(list, changes)))

const body = fc.oneof(form, json, fc.constantFrom('POST TEST', '', 'x'.repeat(70_000), '\0', '\xef\xbb\xbf{}'), oddText)

const cookie = mostly(
  fc.constantFrom<Header[]>([], [['Cookie', `landfall_visitor=${'a'.repeat(32)}`]]),
  oddText.map((text): Header[] => [['Cookie', `landfall_visitor=${text.replace(/[\r\n\0]/g, '')}`]]),
)

/** The requests of pages before they send anything. */
export const check: fc.Arbitrary<Message> = fc
  .tuple(
    body,
    mostly(
      fc.constant(''),
      form.map((text) => `?${text}`),
    ),
    cookie,
    framing,
    edits,
  )
  .map(([text, search, cookies, framed, changes]) => ({
    method: 'POST',
    target: `/check${search}`,
    headers: edited([['Content-Type', 'application/json'], ...cookies], changes),
    body: text,
    framing: framed,
  }))
