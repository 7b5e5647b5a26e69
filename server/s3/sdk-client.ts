import { S3Client, type S3ClientConfig, S3ServiceException } from '@aws-sdk/client-s3'
import { S3Error } from './s3-error.ts'
import type { Answered } from './s3-port.ts'
import { toS3Error } from './sdk-error.ts'

/** Where the bucket is. */
export interface S3Location {
  readonly bucket: string
  readonly region: string
  /** The URL of an engine, which finds the bucket in the path; `undefined` for AWS. */
  readonly endpoint?: string | undefined
  /** `undefined` for those that the SDK finds: in the environment, in its files, at the host. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
}

/** How long a connection may take to open, in milliseconds. */
const CONNECTION_TIMEOUT = 5_000

/** Bodies up to this many bytes are signed; hashing the larger ones would double what a byte costs this process. */
const SIGNED_BODY = 65_536

/** Instead of the console. */
/** Without one, the SDK would write its warnings to the console. */
const NO_LOGGER = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** One try of a call. */
export interface Try {
  /** The call, for the log. */
  readonly what: string
  /** Milliseconds. */
  readonly timeout: number
  /** Whether the answer to HEAD is meant, which has no code: its status alone says that there is no object. */
  readonly isHead?: boolean
}

export interface Sending {
  readonly abortSignal: AbortSignal
}

/** A client of the SDK: its settings, time-outs, what is known after an error, and when S3 answered. */
export class SdkClient {
  readonly #sdk: S3Client
  readonly #dates = new WeakMap<object, number>()

  /** @param maxSockets connections at a time; further calls wait. */
  constructor(location: S3Location, maxSockets: number) {
    const agent = { keepAlive: true, maxSockets }
    this.#sdk = new S3Client({
      ...clientSettings(location),
      requestHandler: {
        httpAgent: agent,
        httpsAgent: agent,
        connectionTimeout: CONNECTION_TIMEOUT,
        socketTimeout: 0,
        logger: NO_LOGGER,
      },
    })
    this.#noteDates()
    this.#leaveBodiesUnsigned()
  }

  /**
   * @param call returns the output of the SDK, perhaps with more in it.
   * @throws S3Error.
   */
  async run<Output extends object>(
    { what, timeout, isHead }: Try,
    call: (sdk: S3Client, sending: Sending) => Promise<Output>,
  ): Promise<Output & Answered> {
    const stop = new AbortController()
    try {
      const output = await within(timeout, stop, call(this.#sdk, { abortSignal: stop.signal }))
      return Object.assign(output, { date: this.#dateOf(output, what) })
    } catch (error) {
      const mapped = toS3Error(error, what, isHead)
      const date = error instanceof S3ServiceException ? dateIn(error.$response) : undefined
      if (date !== undefined) this.#dates.set(mapped, date)
      throw mapped
    }
  }

  /**
   * The same for something that may be absent.
   *
   * @returns an answer without `found` if it is. @throws S3Error.
   */
  async find<Found extends object>(
    attempt: Try,
    call: (sdk: S3Client, sending: Sending) => Promise<Found>,
  ): Promise<Answered & { readonly found: Found | undefined }> {
    try {
      const found = await this.run(attempt, call)
      return { date: found.date, found }
    } catch (error) {
      if (!(error instanceof S3Error) || error.outcome !== 'absent') throw error
      return { date: this.#dateOf(error, attempt.what), found: undefined }
    }
  }

  /** @throws S3Error if the answer does not tell. */
  #dateOf(answer: object, what: string): number {
    return present(this.#dates.get(answer), what)
  }

  destroy(): void {
    this.#sdk.destroy()
  }

  #noteDates(): void {
    this.#sdk.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args)
        const date = dateIn(result.response)
        if (date !== undefined && result.output !== undefined) this.#dates.set(result.output, date)
        return result
      },
      { step: 'deserialize', priority: 'high' },
    )
  }

  /** The signed header with the checksum protects them. */
  #leaveBodiesUnsigned(): void {
    this.#sdk.middlewareStack.add(
      (next) => (args) => {
        const headers = headersOf(args.request)
        if (headers?.['x-amz-checksum-crc32'] !== undefined && Number(headers['content-length']) > SIGNED_BODY)
          headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
        return next(args)
      },
      { step: 'build', priority: 'low' },
    )
  }
}

/** Settings of a client of the SDK. */
export function clientSettings({ region, endpoint, credentials }: S3Location): S3ClientConfig {
  return {
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
    // A try that nobody sees would leave it unknown whether the call was applied.
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // The SDK opens a connection of its own, outside the limit, for each request that waits for a 100.
    expectContinueHeader: false,
    logger: NO_LOGGER,
  }
}

/**
 * Waits for S3.
 *
 * @param timeout milliseconds.
 * @param stop ends the request after that.
 */
export async function within<T>(timeout: number, stop: AbortController, answer: Promise<T>): Promise<T> {
  const timer = setTimeout(() => stop.abort(new Error(`no answer within ${timeout} ms`)), timeout)
  try {
    return await answer
  } finally {
    clearTimeout(timer)
  }
}

/** A part of an answer that every S3 gives. @throws S3Error `unknown` if it is missing: something else has answered. */
export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new S3Error('unknown', `${what}: the answer is not that of an S3.`)
  return value
}

/** Milliseconds since 1970. */
function dateIn(response: unknown): number | undefined {
  const date = Date.parse(headersOf(response)?.['date'] ?? '')
  return Number.isNaN(date) ? undefined : date
}

/** The headers of a message of the SDK, which it calls unknown. */
function headersOf(message: unknown): Record<string, string> | undefined {
  if (typeof message !== 'object' || message === null || !('headers' in message)) return undefined
  return isHeaders(message.headers) ? message.headers : undefined
}

function isHeaders(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null
}

function ignore(): void {}
