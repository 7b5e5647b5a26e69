import type { IncomingMessage } from 'node:http'

/** Bytes of the request line beside method and target, and of a header line beside name and value. */
const REST_OF_REQUEST_LINE = ' '.length + ' HTTP/1.1\r\n'.length + '\r\n'.length
const REST_OF_LINE = ': \r\n'.length

/** How many bytes the head of a request has, as clients usually write it. */
export function headSize({ method = '', url = '', rawHeaders }: IncomingMessage): number {
  let size = method.length + url.length + REST_OF_REQUEST_LINE + (rawHeaders.length / 2) * REST_OF_LINE
  for (const text of rawHeaders) size += text.length
  return size
}
