import { describe } from '@jest/globals'
import { eventsInBucket } from '../../server/kept-events.ts'
import { RetryingPort } from '../../server/s3/retrying-port.ts'
import { SdkPort } from '../../server/s3/sdk-port.ts'
import { run, webhooks } from '../../server/webhooks-command.ts'
import { startS3Engine } from '../support/s3-engine.ts'
import { recordOf } from '../support/store-contract.ts'
import { type EventsUnderTest, keptEventsContract } from '../webhooks/kept-events-contract.ts'
import { EventNodes } from './event-nodes.ts'

/** @param runs runs the command, unless it needs no engine. */
function eventsOf(nodes: EventNodes, runs: EventsUnderTest['run'], dispose: () => Promise<void>): EventsUnderTest {
  return {
    start: async (settings) => {
      const node = await nodes.start(settings)
      return {
        finish: async (id) => {
          await node.store.createFinished(recordOf(id, 2), [Buffer.from('hi')])
        },
        delete: async (id) => {
          const found = await node.store.open(id)
          if (found.kind === 'upload') await found.upload.remove('deleted')
        },
        stop: node.stop,
      }
    },
    run: runs,
    passTime: () => nodes.clock.move(20_000),
    dispose,
  }
}

describe('In a bucket in memory', () => {
  keptEventsContract(async () => {
    const nodes = new EventNodes()
    const runs: EventsUnderTest['run'] = async ({ WEBHOOK_URLS = '' }, [command, ...ids], print) =>
      run(
        await eventsInBucket(nodes.environment()),
        [new URL(WEBHOOK_URLS)],
        command === 'ls' ? command : 'retry',
        ids,
        print,
      )
    return eventsOf(nodes, runs, async () => undefined)
  })
})

describe('In a bucket of an engine', () => {
  keptEventsContract(async () => {
    const engine = await startS3Engine()
    const { endpoint, bucket, credentials } = engine.location
    const nodes = new EventNodes({}, () => new RetryingPort(new SdkPort(engine.location)))
    const bucketSettings = {
      STORE: 's3',
      S3_ENDPOINT: endpoint,
      S3_BUCKET: bucket,
      S3_ACCESS_KEY_ID: credentials.accessKeyId,
      S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      SECRET: 'a secret of thirty-two characters',
    }
    const runs: EventsUnderTest['run'] = (settings, args, print) =>
      webhooks({ ...settings, ...bucketSettings }, args, print)
    return eventsOf(nodes, runs, () => engine.stop())
  })
})
