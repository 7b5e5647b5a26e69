import { until } from '../support/wire.ts'
import type { Call, Recorder } from './recorder.ts'

/** What a client got: the status, and the headers and the body that hooks may set. */
export interface Got {
  readonly request: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const COMPARED = ['upload-offset', 'upload-length', 'upload-metadata', 'upload-concat', 'x-page']

/** A client of tus at one of the servers. */
export class Client {
  readonly got: Got[] = []
  /** URLs of the uploads, in order of their creation. */
  readonly urls: string[] = []
  readonly #base: string
  readonly #recorder: Recorder

  constructor(base: string, recorder: Recorder) {
    this.#base = base
    this.#recorder = recorder
  }

  /** @returns the URL of the new upload, if there is one. */
  async create(headers: Readonly<Record<string, string>>, body?: string): Promise<string> {
    const type = body === undefined ? {} : { 'Content-Type': 'application/offset+octet-stream' }
    const response = await this.#send('POST', `${this.#base}/files/`, { ...type, ...headers }, body)
    const location = response.headers.get('Location')
    if (location === null) return ''
    const url = new URL(location, this.#base).href
    this.urls.push(url)
    return url
  }

  async patch(url: string, offset: number, body: BodyInit, headers: Readonly<Record<string, string>> = {}) {
    const type = { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(offset) }
    await this.#send('PATCH', url, { ...type, ...headers }, body)
  }

  async head(url: string): Promise<void> {
    await this.#send('HEAD', url, {})
  }

  async delete(url: string): Promise<void> {
    await this.#send('DELETE', url, {})
  }

  /** Waits until the receiver was called `count` times with this type, about an upload with these facts. */
  async called(type: string, count = 1, facts: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const isMeant = ({ Type, Event: { Upload } }: Call): boolean =>
      Type === type && Object.entries(facts).every(([name, value]) => Upload[name] === value)
    await until(async () => this.#recorder.calls.filter(isMeant).length >= count)
  }

  async #send(method: string, url: string, headers: Readonly<Record<string, string>>, body?: BodyInit) {
    const response = await fetch(url, {
      method,
      headers: { 'Tus-Resumable': '1.0.0', ...headers },
      ...(body !== undefined && { body, duplex: 'half' }),
    })
    const set = COMPARED.flatMap((name) => {
      const value = response.headers.get(name)
      // The order of metadata has no meaning; that of tusd varies.
      return value === null ? [] : [[name, sorted(value)] as const]
    })
    const got = { request: method, status: response.status, headers: Object.fromEntries(set) }
    this.got.push({ ...got, body: await response.text() })
    return response
  }
}

function sorted(list: string): string {
  return list
    .split(',')
    .map((element) => element.trim())
    .sort()
    .join()
}
