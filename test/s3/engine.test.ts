import { RetryingPort } from '../../server/s3/retrying-port.ts'
import { SdkPort } from '../../server/s3/sdk-port.ts'
import { startS3Engine } from '../support/s3-engine.ts'
import { describePort } from './port-contract.ts'

describePort('the SDK', async () => {
  const engine = await startS3Engine()
  const port = new RetryingPort(new SdkPort(engine.location))
  return {
    port,
    close: async () => {
      port.close()
      await engine.stop()
    },
  }
})
