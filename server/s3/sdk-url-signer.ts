import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { clientSettings, type S3Location } from './sdk-client.ts'

/** An object, and how S3 describes it to those who read it by a signed URL. */
export interface SignedObject {
  readonly key: string
  readonly contentType: string
  readonly contentDisposition: string
  readonly cacheControl: string
}

/** What is needed of a request of the SDK. */
interface SdkRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  headers: Readonly<Record<string, string>>
}

/** What is needed of the signer of the SDK, which its type does not mention. */
interface Presigner {
  presign(request: SdkRequest, options: { readonly expiresIn: number }): Promise<SdkRequest>
}

/** Signs URLs of a bucket. It sends nothing. */
export class SdkUrlSigner {
  readonly #sdk: S3Client
  readonly #bucket: string

  constructor(location: S3Location) {
    this.#sdk = new S3Client(clientSettings(location))
    this.#bucket = location.bucket
  }

  /**
   * A URL with which any client can read an object, also in ranges.
   *
   * @param lifetime seconds.
   * @throws Error if the SDK finds no credentials.
   */
  async sign(object: SignedObject, lifetime: number): Promise<string> {
    const command = new GetObjectCommand({
      Bucket: this.#bucket,
      Key: object.key,
      ResponseContentType: object.contentType,
      ResponseContentDisposition: object.contentDisposition,
      ResponseCacheControl: object.cacheControl,
    })
    let url = ''
    // The SDK makes the request, which is signed instead of being sent.
    command.middlewareStack.add(
      (_next, context) =>
        async ({ request }) => {
          const signer = await this.#sdk.config.signer(context.authSchemes?.[0])
          if (!isRequest(request) || !isPresigner(signer)) throw new Error('The SDK cannot sign URLs.')
          // Clients send none of the other headers. The one of the body goes into the query.
          request.headers = { host: hostOf(request), 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }
          const signed = await signer.presign(request, { expiresIn: lifetime })
          url = `${signed.protocol}//${hostOf(signed)}${signed.path}?${queryOf(signed)}`
          return { output: { $metadata: {} }, response: undefined }
        },
      { step: 'build', priority: 'high' },
    )
    await this.#sdk.send(command)
    return url
  }
}

function hostOf({ hostname, port }: SdkRequest): string {
  return port === undefined ? hostname : `${hostname}:${port}`
}

/** Encoded as it was signed. */
function queryOf({ query }: SdkRequest): string {
  return Object.entries(query)
    .map((entry) => entry.map(encoded).join('='))
    .join('&')
}

/** RFC 3986: more than `encodeURIComponent` encodes. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
}

function isRequest(request: unknown): request is SdkRequest {
  return typeof request === 'object' && request !== null && 'hostname' in request && 'query' in request
}

function isPresigner(signer: object): signer is Presigner {
  return 'presign' in signer && typeof signer.presign === 'function'
}
