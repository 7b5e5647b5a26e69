import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe } from '@jest/globals'
import { RetryingPort } from '../../server/s3/retrying-port.ts'
import type { S3Port } from '../../server/s3/s3-port.ts'
import { SdkPort } from '../../server/s3/sdk-port.ts'
import { type S3Engine, startS3Engine } from '../support/s3-engine.ts'
import { storeContract } from '../support/store-contract.ts'
import { describePort } from './port-contract.ts'
import { storeOn } from './store-on.ts'

let engine: S3Engine

beforeAll(async () => {
  engine = await startS3Engine()
})
afterAll(() => engine.stop())

function openPort(): S3Port {
  return new RetryingPort(new SdkPort(engine.location))
}

describePort('the SDK', async () => {
  const port = openPort()
  return { port, close: async () => port.close() }
})

describe('The S3 store on an engine', () => {
  storeContract(async () => storeOn(openPort, `${randomUUID()}/`))
})
