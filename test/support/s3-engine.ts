import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import type { S3Location } from '../../server/s3/sdk-client.ts'
import { temporaryFolder } from './folder.ts'
import { freePort } from './free-port.ts'
import { until } from './wire.ts'

/** An S3 in its own process, with one empty bucket. */
export interface S3Engine {
  readonly location: EngineLocation
  /** Kills it, and removes what it has stored. */
  stop(): Promise<void>
}

export interface EngineLocation extends S3Location {
  readonly endpoint: string
  readonly credentials: NonNullable<S3Location['credentials']>
}

const BUCKET = 'landfall'
const CREDENTIALS = { accessKeyId: 'landfall', secretAccessKey: 'landfall-secret' }

interface EngineProgram {
  /** Its place below the folder where test/setup/tools.mjs installs it. */
  readonly file: string
  args(port: number, folder: string): readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

const VERSITYGW: EngineProgram = {
  file: 'versitygw-1.8.0/versitygw',
  args: (port, folder) => ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', 'posix', folder],
  environment: { ROOT_ACCESS_KEY_ID: CREDENTIALS.accessKeyId, ROOT_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey },
}

const MINIO: EngineProgram = {
  file: 'minio-20260212201848/minio',
  args: (port, folder) => ['server', '--quiet', '--address', `127.0.0.1:${port}`, folder],
  environment: {
    MINIO_ROOT_USER: CREDENTIALS.accessKeyId,
    MINIO_ROOT_PASSWORD: CREDENTIALS.secretAccessKey,
    MINIO_BROWSER: 'off',
    MINIO_UPDATE: 'off',
  },
}

/** Starts versitygw, or MinIO if the environment says `S3_ENGINE=minio`. @throws Error if it is not installed. */
export async function startS3Engine(): Promise<S3Engine> {
  const engine = process.env['S3_ENGINE'] === 'minio' ? MINIO : VERSITYGW
  const program = fileURLToPath(new URL(`../../node_modules/.cache/${engine.file}`, import.meta.url))
  if (!existsSync(program)) throw new Error(`${program} is missing: run "node test/setup/tools.mjs".`)
  const folder = await temporaryFolder()
  const port = await freePort()
  const child = spawn(program, engine.args(port, folder.path), {
    env: { ...process.env, ...engine.environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += text
  })
  const location = {
    bucket: BUCKET,
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${port}`,
    credentials: CREDENTIALS,
  }
  await until(() => {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${errors}`)
    return makeBucket(location)
  })
  return {
    location,
    stop: async () => {
      const exit = once(child, 'exit')
      if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await exit
      await folder.dispose()
    },
  }
}

/** @returns whether the engine has made it. */
async function makeBucket({ bucket, ...location }: EngineLocation): Promise<boolean> {
  const client = new S3Client({ ...location, forcePathStyle: true, maxAttempts: 1 })
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
    return true
  } catch {
    return false
  } finally {
    client.destroy()
  }
}
