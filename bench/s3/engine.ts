import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { PROJECT } from '../contestants.ts'
import { findProgram } from '../programs.ts'
import { type ServerProcess, startServer } from '../server-process.ts'

/** A versitygw with one empty bucket, whose objects are files. */
export interface Engine {
  readonly endpoint: string
  readonly bucket: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** The directory of the bucket. */
  readonly folder: string
  stop(): Promise<void>
}

const BUCKET = 'bench'
const CREDENTIALS = { accessKeyId: 'landfall', secretAccessKey: 'landfall-secret' }

/** @throws Error if it is not installed, or does not start. */
export async function startEngine(): Promise<Engine> {
  const installed = path.join(PROJECT, 'node_modules/.cache/versitygw-1.8.0/versitygw')
  const program = await findProgram('VERSITYGW', 'versitygw', [installed])
  if (program === undefined) throw new Error('versitygw is missing: run "node test/setup/tools.mjs", or set VERSITYGW.')
  const server: ServerProcess = await startServer(async (port, folder) => {
    await mkdir(path.join(folder, 'objects'))
    return {
      program,
      args: ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', 'posix', path.join(folder, 'objects')],
      environment: {
        ROOT_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
        ROOT_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      },
    }
  })
  const endpoint = `http://127.0.0.1:${server.port}`
  const client = new S3Client({ endpoint, region: 'us-east-1', credentials: CREDENTIALS, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  client.destroy()
  return {
    endpoint,
    bucket: BUCKET,
    ...CREDENTIALS,
    folder: path.join(server.folder, 'objects', BUCKET),
    stop: () => server.stop(),
  }
}
