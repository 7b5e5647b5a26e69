import fc from 'fast-check'
import { framing, type Header, type Message, utf8 } from '../message.ts'
import { KEPT_TASK } from '../placeholder-ids.ts'
import { chunk } from './legacy-file.ts'
import { edited, edits, mostly, oddText } from './text.ts'

function escaped(text: string): string {
  return [...text].map((c) => (/[\w.*-]/.test(c) ? c : `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`)).join('')
}

/** The query of some fields, occasionally with an invalid escape. */
export function queryOf(fields: readonly Header[]): fc.Arbitrary<string> {
  const text = fields.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join('&')
  return mostly(
    fc.constant(text),
    fc.constantFrom(
      ...[`${text}&%`, `${text}&%zz=%ff`, `${text}&&=&`, `&${text}`, `${text}#x`, `?${text}`],
      ...[`${text}&name=%B2%E2%CA%D4.txt`, `_charset_=gbk&${text}`, `%ef%bb%bf${text}`, `${'x&'.repeat(2000)}${text}`],
      ...[`x=${'y'.repeat(9000)}&${text}`, `${text}${'&id=1'.repeat(70)}`],
    ),
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

/** The encodings of a body. */
const bodyOf = (fields: readonly Header[]): fc.Arbitrary<readonly [type: string, body: string]> => {
  const form = fields.map(
    ([name, value]) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const json = Buffer.from(JSON.stringify(Object.fromEntries(fields)), 'latin1').toString()
  const wide = Buffer.from(`\ufeff${json}`, 'utf16le')
  return mostly(
    queryOf(fields).map((query) => ['application/x-www-form-urlencoded', query]),
    fc.oneof(
      fc.constantFrom(
        ['multipart/form-data; boundary=b', `${form.join('')}--b--\r\n`],
        ['multipart/form-data; boundary=b', `${form.join('')}--b--`],
        ['multipart/form-data; boundary=c', `${form.join('')}--b--`],
        ['application/json', `\xef\xbb\xbf${utf8(json)}`],
        ['application/json', wide.toString('latin1')],
        ['application/json; charset=utf-16', wide.toString('latin1').slice(1)],
        ['application/json; charset=gbk', utf8(json)],
      ),
      queryOf(fields).map((query): [string, string] => ['application/x-www-form-urlencoded; charset=GBK', query]),
    ),
  )
}

const complete = fc
  .tuple(asked, edits, fc.constantFrom('GET', 'POST', 'POST', 'HEAD'))
  .chain(([fields, changes, method]): fc.Arbitrary<Omit<Message, 'framing'>> => {
    const list = edited(fields, changes)
    if (method !== 'POST') {
      return queryOf(list).map((query) => ({ method, target: `/upload/complete?${query}`, headers: [], body: '' }))
    }
    return bodyOf(list).map(([type, body]) => {
      const headers: Header[] = [['Content-Type', type]]
      return { method, target: '/upload/complete', headers, body }
    })
  })

/** Bare chunks with their fields in the query, and the final requests of a page. */
export const query: fc.Arbitrary<Message> = fc
  .tuple(fc.oneof({ weight: 3, arbitrary: accept }, { weight: 1, arbitrary: complete }), framing, edits)
  .map(([draft, framed, changes]) => ({ ...draft, headers: edited(draft.headers, changes), framing: framed }))
