/**
 * The forms of common HTTP clients, byte by byte as recorded from the wire. Two were not recorded but written after
 * their source code: HttpClient of .NET, which refuses names with quotes, and curl before 7.81.
 */
import { codedPiece } from '../support/wire.ts'

/** The file's name in every form. Each client encodes it differently in the headers of the file part. */
export const NAME = '测 "a".bin'

/** One client. Lines end without CRLF here. */
export interface Sender {
  readonly name: string
  /** The first line and the headers; `{host}`, `{boundary}`, and `{length}` are filled in. */
  readonly head: readonly string[]
  readonly boundary: string
  /** The headers of a field; `{field}` is its name, `{bytes}` the length of its value. */
  readonly field: readonly string[]
  /** The headers of the file. */
  readonly file: readonly string[]
  /** The bytes after the last boundary. */
  readonly end: string
  /** With the chunked transfer coding: whether each write is a piece, or the whole body is. */
  readonly pieces?: 'writes' | 'whole'
}

export interface Form {
  readonly fields: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
  /** Whether the fields follow the file. */
  readonly fieldsAfter?: boolean
}

/** The bytes of a request. */
export function requestOf(sender: Sender, host: string, form: Form): { readonly head: string; readonly body: Buffer } {
  const fields = Object.entries(form.fields).map(([field, value]) =>
    part(
      sender.field.map((line) => fill(line, { field, bytes: Buffer.byteLength(value) })),
      value,
    ),
  )
  const file = part(sender.file, form.bytes)
  const parts = form.fieldsAfter === true ? [file, ...fields] : [...fields, file]
  const writes = [
    ...parts.flatMap(([head, value]) => [Buffer.from(`--${sender.boundary}\r\n${head}`), value, Buffer.from('\r\n')]),
    Buffer.from(`--${sender.boundary}${sender.end}`),
  ]
  const whole = Buffer.concat(writes)
  const lines = sender.head.map((line) => fill(line, { host, boundary: sender.boundary, length: whole.length }))
  return { head: `${lines.join('\r\n')}\r\n\r\n`, body: coded(sender, writes) }
}

function part(lines: readonly string[], value: string | Uint8Array): readonly [string, Buffer] {
  return [`${lines.join('\r\n')}\r\n\r\n`, Buffer.from(value)]
}

function coded({ pieces }: Sender, writes: readonly Buffer[]): Buffer {
  if (pieces === undefined) return Buffer.concat(writes)
  const parts = pieces === 'whole' ? [Buffer.concat(writes)] : writes.filter(({ length }) => length > 0)
  return Buffer.concat([...parts, Buffer.alloc(0)].map(codedPiece))
}

function fill(line: string, values: Readonly<Record<string, string | number>>): string {
  return line.replace(/\{(\w+)\}/g, (found, name: string) => String(values[name] ?? found))
}

const POST = 'POST /upload/accept HTTP/1.1'
const FIELD = 'Content-Disposition: form-data; name="{field}"'
const FILE = 'Content-Disposition: form-data; name="file"'
const BINARY = 'Content-Type: application/octet-stream'
/** Escaped as browsers do. */
const ESCAPED = `${FILE}; filename="测 %22a%22.bin"`
/** Escaped as in MIME. */
const BACKSLASHES = `${FILE}; filename="测 \\"a\\".bin"`
const PERCENT = `${FILE}; filename="%E6%B5%8B%20%22a%22.bin"`
const TEXT = 'Content-Type: text/plain; charset=UTF-8'

const APACHE = 'httpclient_boundary_ee530762-d7b4-4fee-9594-aac58960629b'
const APACHE_HEAD = [
  ...[POST, 'Accept-Encoding: gzip, x-gzip, deflate', 'Host: {host}', 'Content-Length: {length}'],
  'Content-Type: multipart/form-data; charset=ISO-8859-1; boundary={boundary}',
  ...['Connection: keep-alive', 'User-Agent: Apache-HttpClient/5.5 (Java/17.0.15)'],
]
const CURL = '------------------------62aa3041a8e86743'
const CURL_AGENT = ['Host: {host}', 'User-Agent: curl/7.88.1', 'Accept: */*']
const CURL_TYPE = 'Content-Type: multipart/form-data; boundary={boundary}'
const CURL_FORM = { boundary: CURL, field: [FIELD], file: [ESCAPED, BINARY], end: '--\r\n' } as const

export const SENDERS: readonly Sender[] = [
  {
    name: 'needle 3.5',
    head: [
      ...[POST, 'accept: */*', 'user-agent: Needle/3.5.0 (Node.js v20.20.2; linux x64)'],
      ...['content-type: multipart/form-data; boundary={boundary}', 'content-length: {length}', 'host: {host}'],
      'Connection: keep-alive',
    ],
    boundary: '--------------------NODENEEDLEHTTPCLIENT',
    field: [FIELD],
    file: [PERCENT, 'Content-Transfer-Encoding: binary', BINARY],
    end: '--',
  },
  {
    name: 'axios 1.21 with form-data 4, streamed',
    head: [
      ...[POST, 'Accept: application/json, text/plain, */*'],
      ...['Content-Type: multipart/form-data; boundary={boundary}', 'User-Agent: axios/1.21.1'],
      ...['Accept-Encoding: gzip, compress, deflate, br', 'Host: {host}', 'Connection: keep-alive'],
      'Transfer-Encoding: chunked',
    ],
    boundary: '--------------------------3afaccaf1a40bff5339f20ac',
    field: [FIELD],
    file: [ESCAPED, BINARY],
    end: '--\r\n',
    pieces: 'writes',
  },
  {
    name: 'got 14.6 with FormData',
    head: [
      ...[POST, 'user-agent: got (https://github.com/sindresorhus/got)'],
      ...['content-type: multipart/form-data; boundary={boundary}', 'content-length: {length}'],
      ...['accept-encoding: gzip, deflate, br', 'Host: {host}', 'Connection: keep-alive'],
    ],
    boundary: 'form-data-encoder-zazg07l3s353rz17',
    field: [FIELD],
    file: [ESCAPED, BINARY],
    end: '--\r\n\r\n',
  },
  {
    name: 'request 2.88 with form-data 2',
    head: [
      ...[POST, 'host: {host}', 'content-type: multipart/form-data; boundary={boundary}'],
      ...['content-length: {length}', 'Connection: close'],
    ],
    boundary: '--------------------------819814518649354567312639',
    field: [FIELD],
    file: [`${FILE}; filename="测 "a".bin"`, BINARY],
    end: '--\r\n',
  },
  {
    name: 'fetch of Node',
    head: [
      ...[POST, 'host: {host}', 'connection: keep-alive'],
      ...['content-type: multipart/form-data; boundary={boundary}', 'accept: */*', 'accept-language: *'],
      ...['sec-fetch-mode: cors', 'user-agent: node', 'accept-encoding: gzip, deflate', 'content-length: {length}'],
    ],
    boundary: '----formdata-undici-020028689838',
    field: [FIELD],
    file: [ESCAPED, BINARY],
    end: '--\r\n',
  },
  {
    name: 'requests 2.34',
    head: [
      ...[POST, 'Host: {host}', 'User-Agent: python-requests/2.34.2', 'Accept-Encoding: gzip, deflate', 'Accept: */*'],
      ...['Connection: keep-alive', 'Content-Length: {length}'],
      'Content-Type: multipart/form-data; boundary={boundary}',
    ],
    boundary: '2525fad84614c72590a1e90c70ee54b2',
    field: [FIELD],
    file: [ESCAPED, BINARY],
    end: '--\r\n',
  },
  {
    name: 'requests with urllib3 1.24',
    head: [
      ...[POST, 'Host: {host}', 'User-Agent: python-requests/2.21.0', 'Accept-Encoding: gzip, deflate', 'Accept: */*'],
      ...['Connection: keep-alive', 'Content-Length: {length}'],
      'Content-Type: multipart/form-data; boundary={boundary}',
    ],
    boundary: '4b4ab8e2c36e4bcd86a6fe0eba2ea0ea',
    field: [FIELD],
    file: [`${FILE}; filename*=utf-8''%E6%B5%8B%20%22a%22.bin`, BINARY],
    end: '--\r\n',
  },
  {
    name: 'httpx 0.28, streamed',
    head: [
      ...[POST, 'Host: {host}', 'Accept: */*', 'Accept-Encoding: gzip, deflate', 'Connection: keep-alive'],
      ...['User-Agent: python-httpx/0.28.1', 'Transfer-Encoding: chunked'],
      'Content-Type: multipart/form-data; boundary={boundary}',
    ],
    boundary: '1f177307d66e3cde002570c51b8efde1',
    field: [FIELD],
    file: [ESCAPED, BINARY],
    end: '--\r\n',
    pieces: 'writes',
  },
  {
    name: 'aiohttp 3.14',
    head: [
      ...[POST, 'Host: {host}', 'Accept: */*', 'Accept-Encoding: gzip, deflate'],
      ...['User-Agent: Python/3.11 aiohttp/3.14.5', 'Content-Length: {length}'],
      'Content-Type: multipart/form-data; boundary={boundary}',
    ],
    boundary: '8089701ed0054670ba33839e363709d7',
    field: ['Content-Type: text/plain; charset=utf-8', FIELD],
    file: [BINARY, PERCENT],
    end: '--\r\n',
  },
  {
    name: 'Apache HttpClient 5.5',
    head: APACHE_HEAD,
    boundary: APACHE,
    field: [FIELD, TEXT],
    file: [`${FILE}; filename="? \\"a\\".bin"; filename*="UTF-8''%E6%B5%8B%20%22a%22.bin"`, BINARY],
    end: '--\r\n',
  },
  {
    name: 'Apache HttpClient 5.5, EXTENDED',
    head: APACHE_HEAD,
    boundary: APACHE,
    field: [FIELD, TEXT],
    file: [`${PERCENT}; filename*="UTF-8''UTF-8%27%27%25E6%25B5%258B%2520%2522a%2522.bin"`, BINARY],
    end: '--\r\n',
  },
  {
    name: 'Apache HttpClient 5.5, LEGACY',
    head: APACHE_HEAD,
    boundary: APACHE,
    field: [FIELD],
    file: [`${BACKSLASHES}; filename*="UTF-8''%E6%B5%8B%20%22a%22.bin"`, BINARY],
    end: '--\r\n',
  },
  {
    name: 'Apache HttpClient 4.5, streamed',
    head: [
      ...[POST, 'Transfer-Encoding: chunked', 'Content-Type: multipart/form-data; boundary={boundary}; charset=UTF-8'],
      ...['Host: {host}', 'Connection: Keep-Alive', 'User-Agent: Apache-HttpClient/4.5.14 (Java/17.0.15)'],
      'Accept-Encoding: gzip,deflate',
    ],
    boundary: 'NXD3pw2wXAkYHtxYMLiz72hBmvNOeKE8_d',
    field: [FIELD],
    file: [BACKSLASHES, BINARY],
    end: '--\r\n',
    pieces: 'writes',
  },
  {
    name: 'OkHttp 4.12',
    head: [
      ...[POST, 'Content-Type: multipart/form-data; boundary={boundary}', 'Content-Length: {length}', 'Host: {host}'],
      ...['Connection: Keep-Alive', 'Accept-Encoding: gzip', 'User-Agent: okhttp/4.12.0'],
    ],
    boundary: 'e9bbe412-b597-46a7-99ea-4de64ba31662',
    field: [FIELD, 'Content-Length: {bytes}'],
    file: [ESCAPED, BINARY],
    end: '--\r\n',
  },
  {
    name: 'mime/multipart of Go, streamed',
    head: [
      ...[POST, 'Host: {host}', 'User-Agent: Go-http-client/1.1', 'Transfer-Encoding: chunked'],
      ...['Content-Type: multipart/form-data; boundary={boundary}', 'Accept-Encoding: gzip'],
    ],
    boundary: 'f827ba8b4fad8d69adf41c5a40c3578a308322c3bebadbde875516363920',
    field: [FIELD],
    file: [BACKSLASHES, BINARY],
    end: '--\r\n',
    pieces: 'writes',
  },
  {
    name: 'HttpClient of .NET',
    head: [
      ...[POST, 'Host: {host}', 'Content-Type: multipart/form-data; boundary="{boundary}"'],
      'Content-Length: {length}',
    ],
    boundary: '1b5ff3a8-0a5b-4f2b-9d7e-2f5f1b6f6c1e',
    field: ['Content-Type: text/plain; charset=utf-8', 'Content-Disposition: form-data; name={field}'],
    file: [
      BINARY,
      'Content-Disposition: form-data; name=file; filename="=?utf-8?B?5rWLICJhIi5iaW4=?="; ' +
        "filename*=utf-8''%E6%B5%8B%20%22a%22.bin",
    ],
    end: '--\r\n',
  },
  { name: 'curl', head: [POST, ...CURL_AGENT, 'Content-Length: {length}', CURL_TYPE], ...CURL_FORM },
  {
    name: 'curl before 7.81',
    head: [POST, 'Host: {host}', 'User-Agent: curl/7.74.0', 'Accept: */*', 'Content-Length: {length}', CURL_TYPE],
    ...CURL_FORM,
    file: [BACKSLASHES, BINARY],
  },
  {
    name: 'curl, streamed',
    head: [POST, ...CURL_AGENT, 'Transfer-Encoding: chunked', CURL_TYPE],
    ...CURL_FORM,
    pieces: 'whole',
  },
  {
    name: 'curl that expects 100',
    head: [POST, ...CURL_AGENT, 'Content-Length: {length}', CURL_TYPE, 'Expect: 100-continue'],
    ...CURL_FORM,
  },
  {
    name: 'curl with HTTP/1.0',
    head: ['POST /upload/accept HTTP/1.0', ...CURL_AGENT, 'Content-Length: {length}', CURL_TYPE],
    ...CURL_FORM,
  },
]
