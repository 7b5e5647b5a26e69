import pino from 'pino'
import { Events } from '../../server/core/events.ts'
import { openStore } from '../../server/open-store.ts'
import { openWebhooks } from '../../server/open-webhooks.ts'
import { parseSettings } from '../../server/read-settings.ts'
import { webhooks } from '../../server/webhooks-command.ts'
import { temporaryFolder } from '../support/folder.ts'
import { anyone } from '../support/principal.ts'
import { recordOf } from '../support/store-contract.ts'
import { type EventSource, type EventsUnderTest, keptEventsContract } from './kept-events-contract.ts'

/** Events in a data directory. */
async function eventsOnDisk(): Promise<EventsUnderTest> {
  const folder = await temporaryFolder()
  const start = async (settings: Readonly<Record<string, string>>): Promise<EventSource> => {
    const schedule = { delays: [0, 1, 1], firstPause: 1, maxPause: 1 }
    const log = pino({ level: 'silent' })
    const place = { onStep: () => undefined }
    const opened = openWebhooks(parseSettings({ ...settings, DATA_DIR: folder.path }), log, place, schedule)
    const reports = { events: new Events(), outbox: opened.outbox, progressInterval: 0 }
    const uploads = await openStore({ directory: folder.path, sync: 'finish', reports })
    let isStopped = false
    return {
      finish: (id) =>
        uploads.for(anyone).createFinished(
          recordOf(id, 2),
          async () => [Buffer.from('hi')],
          async () => undefined,
        ),
      delete: (id) => uploads.use(id, (upload) => upload.remove('deleted')),
      stop: async () => {
        if (isStopped) return
        isStopped = true
        await uploads.end()
        await opened.close()
        await uploads.close()
      },
    }
  }
  return {
    start,
    run: (settings, args, print) => webhooks({ ...settings, DATA_DIR: folder.path }, args, print),
    passTime: () => undefined,
    dispose: folder.dispose,
  }
}

keptEventsContract(eventsOnDisk)
