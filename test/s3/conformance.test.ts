import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'

const run = promisify(execFile)
const SUITES = ['test/tus/conformance', 'test/tus/patch', 'test/legacy-adapter/accept']

let engine: S3Engine
beforeAll(async () => {
  engine = await startS3Engine()
})
afterAll(() => engine.stop())

it.each(SUITES)(
  '%s holds for a service whose uploads are in a bucket',
  async (suite) => {
    const { endpoint, bucket, credentials } = engine.location
    const url = new URL(`${endpoint}/${bucket}`)
    url.username = credentials.accessKeyId
    url.password = credentials.secretAccessKey
    const args = ['node_modules/jest/bin/jest.js', suite, '-w', '1', '--reporters=default']
    const { stderr } = await run(process.execPath, args, { env: { ...process.env, TEST_BUCKET: url.href } }).catch(
      (error: { stdout: string; stderr: string }) => {
        throw new Error(`${error.stdout}\n${error.stderr}`)
      },
    )
    expect(stderr).toMatch(/Tests: +\d+ passed, \d+ total/)
  },
  300_000,
)
