import type { SignUrl } from './download/redirect.ts'
import { locationOf, type S3Settings } from './open-s3-store.ts'
import { SdkUrlSigner } from './s3/sdk-url-signer.ts'

/** How long a signed URL of the bucket is valid, in seconds. A download that has begun goes on. */
const LIFETIME = 5 * 60

/** Signs URLs of files in the bucket of these settings. */
export function signUrlsOf(settings: S3Settings): SignUrl {
  const signer = new SdkUrlSigner(locationOf(settings))
  return ({ key }, answer) =>
    signer.sign(
      {
        key,
        contentType: answer['Content-Type'],
        contentDisposition: answer['Content-Disposition'],
        cacheControl: answer['Cache-Control'],
      },
      LIFETIME,
    )
}
