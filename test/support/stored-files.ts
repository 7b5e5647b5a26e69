import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { SdkPort } from '../../server/s3/sdk-port.ts'
import { bucketSettings, isInBucket } from './bucket-settings.ts'

/** The contents of the finished files of this name, wherever the service keeps them. */
export function storedAs(name: string, dataDir: string): Promise<readonly Buffer[]> {
  return isInBucket ? inBucket(name, bucketSettings(dataDir)) : onDisk(name, path.join(dataDir, 'files'))
}

async function onDisk(name: string, folder: string): Promise<readonly Buffer[]> {
  const places = await readdir(folder, { recursive: true })
  return Promise.all(places.filter((place) => isNamed(place, name)).map((place) => readFile(path.join(folder, place))))
}

async function inBucket(name: string, settings: Readonly<Record<string, string>>): Promise<readonly Buffer[]> {
  const { S3_BUCKET = '', S3_ENDPOINT, S3_ACCESS_KEY_ID = '', S3_SECRET_ACCESS_KEY = '', S3_KEY = '' } = settings
  const credentials = { accessKeyId: S3_ACCESS_KEY_ID, secretAccessKey: S3_SECRET_ACCESS_KEY }
  const port = new SdkPort({ bucket: S3_BUCKET, region: 'us-east-1', endpoint: S3_ENDPOINT, credentials })
  try {
    const contents: Buffer[] = []
    let after: string | undefined
    do {
      const { objects, next } = await port.list(S3_KEY.slice(0, S3_KEY.indexOf('{')), { after })
      for (const { key } of objects) {
        const { found } = isNamed(key, name) ? await port.get(key) : { found: undefined }
        if (found !== undefined) contents.push(found.body)
      }
      after = next
    } while (after !== undefined)
    return contents
  } finally {
    port.close()
  }
}

/** Some file systems store another normal form. */
function isNamed(place: string, name: string): boolean {
  return path.basename(place).normalize('NFC') === name
}
