import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  PutObjectCommand,
  type LifecycleRule as SdkRule,
} from '@aws-sdk/client-s3'
import { checksumOf } from './checksum.ts'
import type { LifecycleRule, Probe } from './probe.ts'
import { S3Error } from './s3-error.ts'
import { type S3Location, SdkClient } from './sdk-client.ts'

/** Milliseconds. */
const TRY = 10_000

/** How long the first half of a body has to arrive before its connection breaks, in milliseconds. */
const HALF = 200

/** Larger than what is signed, so the checksum alone protects it. */
const BODY = Buffer.alloc(262_144, 'landfall')

/** The probe over the AWS SDK. */
export class SdkProbe implements Probe {
  readonly #client: SdkClient
  readonly #bucket: string

  constructor(location: S3Location) {
    this.#client = new SdkClient(location, 1)
    this.#bucket = location.bucket
  }

  putWrong(key: string): Promise<unknown> {
    const command = new PutObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      Body: BODY,
      ContentLength: BODY.length,
      ChecksumCRC32: checksumOf(BODY.subarray(1)),
    })
    return this.#client.run({ what: `PutObject ${key}`, timeout: TRY }, (sdk, sending) => sdk.send(command, sending))
  }

  async putCut(key: string): Promise<void> {
    const stop = new AbortController()
    async function* half(): AsyncGenerator<Buffer> {
      yield BODY.subarray(0, BODY.length / 2)
      await sleep(HALF)
      stop.abort()
    }
    const command = new PutObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      Body: Readable.from(half(), { objectMode: false }),
      ContentLength: BODY.length,
      ChecksumCRC32: checksumOf(BODY),
    })
    await this.#client
      .run({ what: `PutObject ${key}`, timeout: TRY }, (sdk, { abortSignal }) =>
        sdk.send(command, { abortSignal: AbortSignal.any([abortSignal, stop.signal]) }),
      )
      .catch(() => undefined)
    // Perhaps S3 notices only now.
    await sleep(HALF)
  }

  async hasVersions(): Promise<boolean> {
    const command = new GetBucketVersioningCommand({ Bucket: this.#bucket })
    const attempt = { what: 'GetBucketVersioning', timeout: TRY }
    const { Status } = await this.#client.run(attempt, (sdk, sending) => sdk.send(command, sending))
    return Status !== undefined
  }

  async lifecycleRules(): Promise<readonly LifecycleRule[]> {
    const command = new GetBucketLifecycleConfigurationCommand({ Bucket: this.#bucket })
    const attempt = { what: 'GetBucketLifecycleConfiguration', timeout: TRY }
    try {
      const { Rules } = await this.#client.run(attempt, (sdk, sending) => sdk.send(command, sending))
      return (Rules ?? []).filter(({ Status }) => Status === 'Enabled').map(ruleOf)
    } catch (error) {
      if (error instanceof S3Error && error.code === 'NoSuchLifecycleConfiguration') return []
      throw error
    }
  }

  /** Releases its connection. */
  close(): void {
    this.#client.destroy()
  }
}

function ruleOf({ Filter, Prefix, Expiration, NoncurrentVersionExpiration }: SdkRule): LifecycleRule {
  const { And, Tag, ObjectSizeGreaterThan, ObjectSizeLessThan } = Filter ?? {}
  return {
    prefix: Prefix ?? Filter?.Prefix ?? And?.Prefix ?? '',
    isForAll: [And, Tag, ObjectSizeGreaterThan, ObjectSizeLessThan].every((condition) => condition === undefined),
    expires: Expiration?.Days !== undefined || Expiration?.Date !== undefined,
    expiresOldVersions: NoncurrentVersionExpiration?.NoncurrentDays !== undefined,
  }
}
