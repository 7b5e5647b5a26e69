import { describe, expect, it } from '@jest/globals'
import { parse } from 'content-disposition'
import type { Metadata } from '../../server/core/record.ts'
import { asksForInline, contentHeaders } from '../../server/download/content.ts'

function typeOf(filetype: string | null): string {
  return contentHeaders({ filetype }, true)['Content-Type']
}

function dispositionOf(metadata: Metadata, inline = false): string {
  return contentHeaders(metadata, inline)['Content-Disposition']
}

function nameOf(filename: string): string | undefined {
  return parse(dispositionOf({ filename })).parameters['filename']
}

describe('The name of a download', () => {
  it.each([
    ['plain', 'report.txt', 'attachment; filename=report.txt'],
    ['with a space', 'my report.txt', 'attachment; filename="my report.txt"'],
    [
      'in Chinese',
      '测试 文件.txt',
      `attachment; filename="?? ??.txt"; filename*=UTF-8''%E6%B5%8B%E8%AF%95%20%E6%96%87%E4%BB%B6.txt`,
    ],
    ['with both kinds of quotes', `"a'b".png`, `attachment; filename="\\"a'b\\".png"`],
    ['with a semicolon', 'a; filename=b.exe', 'attachment; filename="a; filename=b.exe"'],
    ['with a percent escape', 'a%2Fb.txt', `attachment; filename=a%2Fb.txt; filename*=UTF-8''a%252Fb.txt`],
    ['with a path of Unix', '../../etc/passwd', 'attachment; filename=passwd'],
    ['with a path of Windows', 'C:\\Users\\me\\a.txt', 'attachment; filename=a.txt'],
    ['with a line break', 'a.txt\r\nSet-Cookie: a=b', 'attachment; filename="a.txtSet-Cookie: a=b"'],
  ])('%s', (_situation, filename, expected) => {
    expect(dispositionOf({ filename })).toBe(expected)
  })

  it.each([
    ['control characters', 'a\u0000\u0007\u001b\u007f\u0085b.txt', 'ab.txt'],
    ['overrides of the direction', 'photo\u202egpj.exe', 'photogpj.exe'],
    ['marks, embeddings, and isolates', '\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u2066\u2067\u2068\u2069a', 'a'],
    ['line and paragraph separators', 'a\u2028b\u2029c', 'abc'],
    ['half an emoji', 'a\ud83db.txt', 'ab.txt'],
    ['a hidden separator', 'a/\u202e\u0000b', 'b'],
  ])('loses %s', (_what, filename, expected) => {
    expect(nameOf(filename)).toBe(expected)
  })

  it.each(['测试 文件.txt', `"a'b".png`, '😀.zip', 'na\u00efve (1).pdf', 'a*b.txt', '%41.txt', 'back`tick.txt'])(
    'is unchanged when a browser parses it: %s',
    (filename) => {
      expect(nameOf(filename)).toBe(filename)
    },
  )

  it('keeps its extension and stays within 255 bytes', () => {
    const name = nameOf(`${'长'.repeat(500)}.txt`) ?? ''
    expect(name).toMatch(/^长+\.txt$/)
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255)
  })

  it.each([
    ['filename', { filename: 'a.txt', name: 'b.txt' }, 'attachment; filename=a.txt'],
    ['name without filename', { name: 'b.txt' }, 'attachment; filename=b.txt'],
    ['name beside an empty filename', { filename: '', name: 'b.txt' }, 'attachment; filename=b.txt'],
    ['name beside a filename without value', { filename: null, name: 'b.txt' }, 'attachment; filename=b.txt'],
    ['nothing, so that the browser takes the id', {}, 'attachment'],
  ])('is taken from %s', (_situation, metadata, expected) => {
    expect(dispositionOf(metadata)).toBe(expected)
  })

  it('is ASCII whatever the name is', () => {
    for (let code = 0; code <= 0xffff; code++) {
      const header = dispositionOf({ filename: `a${String.fromCharCode(code)}b` })
      if (!/^[\x20-\x7e]+$/.test(header)) throw new Error(`${code}: ${header}`)
    }
  })
})

describe('The type of a download', () => {
  it.each([
    ['text/plain', 'text/plain'],
    ['IMAGE/PNG', 'image/png'],
    [' image/png ', 'image/png'],
    ['application/vnd.ms-excel', 'application/vnd.ms-excel'],
    ['application/ld+json', 'application/ld+json'],
    ['video/webm;codecs="vp9,opus"', 'video/webm'],
    ['text/plain ; charset=gbk', 'text/plain'],
  ])('is the one of the upload: %s', (said, expected) => {
    expect(typeOf(said)).toBe(expected)
  })

  it.each([
    null,
    '',
    'png',
    'image/',
    '/png',
    'image/png/more',
    'image /png',
    'image/png, text/html',
    'image/png text/html',
    'image/png\r\nX-Evil: 1',
    'image/p\u0000ng',
    'image/*',
    '*/*',
    '图/片',
    `image/${'a'.repeat(200)}`,
  ])('is unknown if that of the upload is malformed: %j', (said) => {
    expect(typeOf(said)).toBe('application/octet-stream')
  })

  it.each([
    ...['text/javascript', 'application/javascript', 'application/x-javascript', 'text/ecmascript', 'text/jscript'],
    ...['TEXT/JavaScript1.5; charset=utf-8', 'text/livescript', 'text/vbscript', 'text/css', 'application/wasm'],
    ...['application/manifest+json', 'text/cache-manifest', 'application/importmap+json', 'text/html'],
    ...['application/speculationrules+json', 'application/xhtml+xml', 'image/svg+xml', 'image/svg', 'text/xml'],
    ...['application/xml', 'application/rss+xml', 'application/xslt+xml', 'text/xsl', 'multipart/x-mixed-replace'],
    ...['application/x-shockwave-flash', 'application/hta'],
  ])('is unknown if browsers could run it, or load it into a page: %s', (said) => {
    expect(typeOf(said)).toBe('application/octet-stream')
  })

  it.each([
    ...['application/postscript', 'application/json', 'text/plain', 'text/csv', 'application/pdf', 'audio/mpeg'],
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  ])('is kept if browsers only show or save it: %s', (said) => {
    expect(typeOf(said)).toBe(said)
  })

  it('is taken from type when there is no filetype', () => {
    expect(contentHeaders({ type: 'image/gif' }, false)['Content-Type']).toBe('image/gif')
    expect(contentHeaders({ filetype: 'image/png', type: 'image/gif' }, false)['Content-Type']).toBe('image/png')
  })
})

describe('The query inline', () => {
  const kind = (filetype: string, inline: boolean) => parse(dispositionOf({ filetype }, inline)).type

  it.each(['image/png', 'image/jpeg', 'image/webp', 'audio/wav', 'video/mp4', 'application/pdf'])(
    'shows %s only when it is given',
    (filetype) => {
      expect(kind(filetype, true)).toBe('inline')
      expect(kind(filetype, false)).toBe('attachment')
    },
  )

  it.each([
    'text/html',
    'TEXT/HTML',
    'text/html; charset=utf-8',
    'application/xhtml+xml',
    'image/svg+xml',
    'IMAGE/SVG+XML',
    'image/svg+xml; charset=utf-8',
    'image/svg',
    'image/unknown+xml',
    'text/xml',
    'application/xml',
    'text/javascript',
    'application/javascript',
    'multipart/x-mixed-replace',
    'message/rfc822',
    'text/plain',
    'text/css',
    'application/octet-stream',
    'image/png\u0000text/html',
    'image/png, text/html',
    'application/pdf+xml',
    '',
  ])('never shows the type %j', (filetype) => {
    expect(kind(filetype, true)).toBe('attachment')
  })

  it.each([
    [undefined, false],
    ['', true],
    ['1', true],
    ['true', true],
    ['0', false],
    ['false', false],
    [['1', '1'], true],
  ])('takes effect by the value %j: %s', (value, expected) => {
    expect(asksForInline(value)).toBe(expected)
  })
})

describe('The content security policy', () => {
  it.each([
    ['text/html', true, "sandbox; default-src 'none'"],
    ['image/svg+xml', true, "sandbox; default-src 'none'"],
    ['image/png', false, "sandbox; default-src 'none'"],
    ['video/mp4', false, "sandbox; default-src 'none'"],
    ['image/png', true, "sandbox; default-src 'none'; style-src 'unsafe-inline'"],
    ['application/pdf', true, "sandbox; default-src 'none'"],
    ['video/mp4', true, "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; media-src 'self'"],
    ['audio/wav', true, "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; media-src 'self'"],
  ])('lets nothing run in %s, inline %s', (filetype, inline, policy) => {
    const headers = contentHeaders({ filetype }, inline)
    expect(headers['Content-Security-Policy']).toBe(policy)
  })
})
