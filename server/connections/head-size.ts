import type { IncomingMessage } from 'node:http'

/** Overhead in bytes: of the request line besides method and target, and of a header line besides name and value. */
const REST_OF_REQUEST_LINE = ' '.length + ' HTTP/1.1\r\n'.length + '\r\n'.length
const REST_OF_LINE = ': \r\n'.length

/** The size of a request head in bytes, with the usual whitespace. */
export function headSize({ method = '', url = '', rawHeaders }: IncomingMessage): number {
  let size = method.length + url.length + REST_OF_REQUEST_LINE + (rawHeaders.length / 2) * REST_OF_LINE
  for (const text of rawHeaders) size += text.length
  return size
}
