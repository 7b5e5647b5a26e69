/** The requests of tus clients as recorded from their wire: first lines and headers. */

/**
 * One client. `{host}`, the upload's `{path}`, and the file's `{size}` and `{sha1}` are filled in. The file follows `upload`, in the
 * chunked transfer coding if a line says so.
 */
export interface TusSender {
  readonly name: string
  /** Its OPTIONS request, if it sends one first. */
  readonly options?: readonly string[]
  readonly create: readonly string[]
  readonly upload: readonly string[]
  readonly ask: readonly string[]
}

/** The file's name in every creation. */
export const NAME = '测 "a".bin'

const RESUMABLE = 'Tus-Resumable: 1.0.0'
const LENGTH = 'Upload-Length: {size}'
const OFFSET = 'Upload-Offset: 0'
const BYTES = 'Content-Type: application/offset+octet-stream'
const FILENAME = 'filename 5rWLICJhIi5iaW4='
const FILETYPE = 'filetype dGV4dC94LXRlc3Q='

const NODE = ['Host: {host}', 'Connection: keep-alive']
const REQUESTS = [
  ...['Host: {host}', 'User-Agent: python-requests/2.34.2', 'Accept-Encoding: gzip, deflate', 'Accept: */*'],
  'Connection: keep-alive',
]
const JAVA = [
  ...['User-Agent: Java/17.0.15', 'Host: {host}', 'Accept: text/html, image/gif, image/jpeg, */*; q=0.2'],
  'Connection: keep-alive',
]
const REQWEST = ['user-agent: reqwest/0.9.24', 'accept: */*', 'accept-encoding: gzip', 'host: {host}']
const PAGE = [
  ...['sec-ch-ua: "Not:A-Brand";v="8", "Chromium";v="156"', 'sec-ch-ua-mobile: ?0', 'Origin: http://localhost:8000'],
  ...['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: cors', 'Sec-Fetch-Dest: empty', 'Referer: http://localhost:8000/'],
]

const NODE_CREATE = [
  ...['POST /files HTTP/1.1', RESUMABLE, LENGTH, `Upload-Metadata: ${FILENAME},${FILETYPE}`, ...NODE],
  'Content-Length: 0',
]
const NODE_ASK = ['HEAD {path} HTTP/1.1', RESUMABLE, ...NODE]

export const TUS_SENDERS: readonly TusSender[] = [
  {
    name: 'tus-js-client 2 to 4 in Node',
    create: NODE_CREATE,
    upload: ['PATCH {path} HTTP/1.1', RESUMABLE, OFFSET, BYTES, 'Content-Length: {size}', ...NODE],
    ask: NODE_ASK,
  },
  {
    name: 'tus-js-client 4 with overridePatchMethod',
    create: NODE_CREATE,
    upload: [
      ...['POST {path} HTTP/1.1', RESUMABLE, 'X-HTTP-Method-Override: PATCH', OFFSET, BYTES, 'Content-Length: {size}'],
      ...NODE,
    ],
    ask: NODE_ASK,
  },
  {
    name: 'Uppy 1 to 6 in Chromium',
    create: [
      ...['POST /files HTTP/1.1', ...NODE, 'Content-Length: 0', 'Pragma: no-cache', RESUMABLE, LENGTH],
      ...[`Upload-Metadata: name 5rWLICJhIi5iaW4=,type dGV4dC94LXRlc3Q=,${FILETYPE},${FILENAME}`, ...PAGE],
    ],
    upload: [
      ...['PATCH {path} HTTP/1.1', ...NODE, 'Content-Length: {size}', 'Pragma: no-cache', RESUMABLE, BYTES, OFFSET],
      ...PAGE,
    ],
    ask: ['HEAD {path} HTTP/1.1', ...NODE, RESUMABLE, ...PAGE],
  },
  {
    name: 'tuspy 1.1 with checksums',
    create: [
      ...['POST /files HTTP/1.1', ...REQUESTS, RESUMABLE, 'upload-length: {size}'],
      ...[`upload-metadata: ${FILENAME},${FILETYPE}`, 'Content-Length: 0'],
    ],
    upload: [
      ...['PATCH {path} HTTP/1.1', ...REQUESTS, 'upload-offset: 0', BYTES, RESUMABLE, 'upload-checksum: sha1 {sha1}'],
      'Content-Length: {size}',
    ],
    ask: ['HEAD {path} HTTP/1.1', ...REQUESTS, RESUMABLE],
  },
  {
    name: 'tus-java-client 0.5',
    create: ['POST /files HTTP/1.1', RESUMABLE, `Upload-Metadata: ${FILENAME}`, LENGTH, ...JAVA],
    upload: [
      ...['POST {path} HTTP/1.1', RESUMABLE, OFFSET, BYTES, 'Expect: 100-continue', 'X-HTTP-Method-Override: PATCH'],
      ...[...JAVA, 'Transfer-Encoding: chunked'],
    ],
    ask: ['HEAD {path} HTTP/1.1', RESUMABLE, ...JAVA],
  },
  {
    name: 'tus_client 0.1 of Rust',
    options: ['OPTIONS /files HTTP/1.1', ...REQWEST],
    create: [
      ...['POST /files HTTP/1.1', `upload-metadata: ${FILENAME}`, 'tus-resumable: 1.0.0', 'upload-length: {size}'],
      ...REQWEST,
    ],
    upload: [
      ...['PATCH {path} HTTP/1.1', 'upload-offset: 0', 'content-type: application/offset+octet-stream'],
      ...['tus-resumable: 1.0.0', ...REQWEST, 'content-length: {size}'],
    ],
    ask: ['HEAD {path} HTTP/1.1', 'tus-resumable: 1.0.0', ...REQWEST],
  },
  {
    name: 'tus_client 0.1 of Rust with its method override',
    options: ['POST /files HTTP/1.1', 'x-http-method-override: Options', ...REQWEST],
    create: [
      ...['POST /files HTTP/1.1', `upload-metadata: ${FILENAME}`, 'tus-resumable: 1.0.0', 'upload-length: {size}'],
      ...['x-http-method-override: Post', ...REQWEST],
    ],
    upload: [
      ...['POST {path} HTTP/1.1', 'upload-offset: 0', 'content-type: application/offset+octet-stream'],
      ...['tus-resumable: 1.0.0', 'x-http-method-override: Patch', ...REQWEST, 'content-length: {size}'],
    ],
    ask: ['POST {path} HTTP/1.1', 'tus-resumable: 1.0.0', 'x-http-method-override: Head', ...REQWEST],
  },
]
