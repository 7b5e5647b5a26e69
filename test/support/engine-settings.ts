import type { EngineLocation } from './s3-engine.ts'

export const ENGINE_SECRET = 'a secret of thirty-two characters'

/** The settings of a service whose uploads are in the bucket of an engine. */
export function engineSettings(location: EngineLocation): Readonly<Record<string, string>> {
  return {
    STORE: 's3',
    S3_ENDPOINT: location.endpoint,
    S3_BUCKET: location.bucket,
    S3_ACCESS_KEY_ID: location.credentials.accessKeyId,
    S3_SECRET_ACCESS_KEY: location.credentials.secretAccessKey,
    SECRET: ENGINE_SECRET,
  }
}
