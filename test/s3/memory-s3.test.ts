import { Bucket, memoryPort } from './memory-s3.ts'
import { describePort } from './port-contract.ts'

describePort('a bucket in memory', async () => ({ port: memoryPort(new Bucket()), close: async () => undefined }))
