import { describe, expect, it } from '@jest/globals'
import { type Answer, AnswerParser } from '../../bench/client/answer-parser.ts'

/** The result of parsing a response that arrives in pieces of `size` bytes. */
function inPieces(text: string, size: number, bodiless = false): Answer | undefined {
  const parser = new AnswerParser(bodiless)
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) {
    const answer = parser.push(bytes.subarray(at, at + size))
    if (answer !== undefined) return answer
  }
  return parser.end()
}

describe.each([1, 3, 1000])('A response that arrives in pieces of %i bytes', (size) => {
  it('ends where its Content-Length says', () => {
    const answer = inPieces('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Name: a: b\r\n\r\nhello', size)
    expect(answer).toMatchObject({ status: 200, text: 'hello', length: 5, closes: false })
    expect(answer?.headers.get('x-name')).toBe('a: b')
  })

  it('ends with its last chunk', () => {
    const coded =
      'HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\na\r\n, 0\r\n\r\nand\r\n0\r\n\r\n'
    expect(inPieces(coded, size)).toMatchObject({ status: 404, text: 'hello, 0\r\n\r\nand', length: 15 })
  })

  it('ends with the connection when no header gives its length', () => {
    expect(inPieces('HTTP/1.0 200 OK\r\n\r\nhello', size)).toMatchObject({ text: 'hello', closes: true })
  })

  it('has no body after HEAD, whatever its length says', () => {
    expect(inPieces('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', size, true)).toMatchObject({ length: 0 })
  })

  it('is the final one after an interim response', () => {
    expect(inPieces('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n', size)).toMatchObject({
      status: 204,
    })
  })
})

it('A truncated response is not parsed', () => {
  expect(inPieces('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell', 1000)).toBeUndefined()
})
