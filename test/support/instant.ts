/** A client of instant uploads, as another implementation of docs/instant.md would be. */
import { createHash } from 'node:crypto'
import { TUS } from './tus.ts'

type Bytes = Buffer<ArrayBuffer>
type Headers = Readonly<Record<string, string>>

/** The question of the service. */
export interface Question {
  readonly question: string
  readonly nonce: string
  readonly ranges: readonly (readonly [start: number, end: number])[]
  readonly expiresIn: number
}

const sha256 = (...pieces: readonly Uint8Array[]): string => {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return hash.digest('hex')
}

export function fingerprint(content: Bytes): string {
  if (content.length <= 131_072) return sha256(content)
  const starts = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => Math.round((i * (content.length - 16_384)) / 7))
  return sha256(...starts.map((start) => content.subarray(start, start + 16_384)))
}

export function proof({ nonce, ranges }: Pick<Question, 'nonce' | 'ranges'>, content: Bytes): string {
  return sha256(Buffer.from(nonce, 'hex'), ...ranges.map(([start, end]) => content.subarray(start, end)))
}

export function post(base: string, path: string, body: unknown, headers: Headers = {}): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return fetch(base + path, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: text })
}

export function ask(base: string, content: Bytes, headers: Headers = {}): Promise<Response> {
  return post(base, '/instant', { size: content.length, fingerprint: fingerprint(content) }, headers)
}

/** The question about a file. @throws Error if there is none. */
export async function questionAbout(base: string, content: Bytes, headers: Headers = {}): Promise<Question> {
  const response = await ask(base, content, headers)
  const text = await response.text()
  if (response.status !== 200) throw new Error(`POST /instant: ${response.status} ${text}`)
  return JSON.parse(text)
}

/** Asks, and proves with `owned`, which need not be the content. */
export async function instantly(
  base: string,
  content: Bytes,
  { headers = {}, metadata, owned = content }: { headers?: Headers; metadata?: Headers; owned?: Bytes } = {},
): Promise<Response> {
  const response = await ask(base, content, headers)
  if (response.status !== 200) return response
  const question: Question = JSON.parse(await response.text())
  return post(base, '/instant/proof', { question: question.question, proof: proof(question, owned), metadata }, headers)
}

/** Sends a file in one request. @returns its URL. */
export async function send(base: string, content: Bytes, headers: Headers = {}, name = 'sent.bin'): Promise<string> {
  const response = await fetch(`${base}/files`, {
    method: 'POST',
    headers: {
      ...TUS,
      'Upload-Length': String(content.length),
      'Upload-Metadata': `filename ${Buffer.from(name).toString('base64')}`,
      'Content-Type': 'application/offset+octet-stream',
      ...headers,
    },
    body: content,
  })
  if (response.status !== 201) throw new Error(`POST /files: ${response.status} ${await response.text()}`)
  return new URL(response.headers.get('Location') ?? '', base).href
}

/** Random bytes that are the same in every run. */
export function contentOf(length: number, seed: string): Bytes {
  const pieces: Buffer[] = []
  for (let made = 0; made < length; made += 65_536) {
    pieces.push(createHash('shake256', { outputLength: 65_536 }).update(`${seed} ${made}`).digest())
  }
  return Buffer.concat(pieces).subarray(0, length)
}
