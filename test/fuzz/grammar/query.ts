import fc from 'fast-check'
import { KEPT_TASK } from '../ids.ts'
import { framing, type Header, type Message } from '../message.ts'
import { chunk } from './legacy-file.ts'
import { edited, edits, mostly, oddText } from './text.ts'

function escaped(text: string): string {
  return [...text].map((c) => (/[\w.*-]/.test(c) ? c : `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`)).join('')
}

/** The query of some fields, with now and then a bad escape. */
export function queryOf(fields: readonly Header[]): fc.Arbitrary<string> {
  const text = fields.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join('&')
  return mostly(
    fc.constant(text),
    fc.constantFrom(`${text}&%`, `${text}&%zz=%ff`, `${text}&&=&`, `&${text}`, `${text}#x`, `?${text}`),
  )
}

const accept = fc
  .tuple(chunk, edits)
  .chain(([{ fields, bytes }, changes]) =>
    fc
      .tuple(
        queryOf(edited(fields, changes)),
        fc.constantFrom<Header[]>([], [], [['Content-Type', 'text/plain']], [['Content-Type', 'application/json']]),
        mostly(fc.constant(bytes), fc.constantFrom('', `${bytes}x`, bytes.slice(1))),
      )
      .map(([query, headers, body]) => ({ method: 'POST', target: `/upload/accept?${query}`, headers, body })),
  )

const asked: fc.Arbitrary<readonly Header[]> = fc
  .record({
    task: mostly(fc.constantFrom('t', 'wu_1k83m941f1a21krp1sa2ofak9t0', '', KEPT_TASK), oddText),
    name: mostly(fc.constantFrom('a.bin', '../../evil.txt', 'kept.bin'), oddText),
    by: fc.constantFrom('filename', 'ext', 'type', 'name'),
  })
  .map(({ task, name, by }) => [
    ['task_id', task],
    [by, name],
  ])

const complete = fc
  .tuple(asked, edits, fc.constantFrom('GET', 'POST', 'POST', 'HEAD'))
  .chain(([fields, changes, method]) =>
    queryOf(edited(fields, changes)).map((query) => ({
      method,
      target: method === 'POST' ? '/upload/complete' : `/upload/complete?${query}`,
      headers: method === 'POST' ? ([['Content-Type', 'application/x-www-form-urlencoded']] satisfies Header[]) : [],
      body: method === 'POST' ? query : '',
    })),
  )

/** Bare chunks with their fields in the query, and what a page asks when it has sent all. */
export const query: fc.Arbitrary<Message> = fc
  .tuple(fc.oneof({ weight: 3, arbitrary: accept }, { weight: 1, arbitrary: complete }), framing, edits)
  .map(([draft, framed, changes]) => ({ ...draft, headers: edited(draft.headers, changes), framing: framed }))
