import { temporaryFolder } from '../support/folder.ts'
import { startService } from '../support/service.ts'
import { Client, type Got } from './client.ts'
import { type Call, type Recorder, startRecorder } from './recorder.ts'
import type { Scenario } from './scenarios.ts'
import { startTusd } from './tusd.ts'

const EVENTS = 'pre-create,post-create,post-receive,pre-finish,post-finish,pre-terminate,post-terminate'

/** A server, and the receiver that it calls. */
export interface Compared {
  /** What the receiver and the client get in a scenario. */
  outcomeOf(scenario: Scenario): Promise<Outcome>
  close(): Promise<void>
}

/** Without what differs in each run: ids, ports, folders. Calls by type and upload, because their order may vary. */
export interface Outcome {
  readonly calls: readonly Call[]
  readonly responses: readonly Got[]
}

export async function comparedTusd(): Promise<Compared> {
  const recorder = await startRecorder()
  const folder = await temporaryFolder()
  const tusd = await startTusd(folder.path, ['-hooks-http', recorder.url, '-hooks-enabled-events', EVENTS])
  return {
    outcomeOf: (scenario) => outcomeOf(scenario, tusd.url, recorder, folder.path),
    close: async () => {
      await tusd.kill()
      await recorder.close()
      await folder.dispose()
    },
  }
}

export async function comparedLandfall(): Promise<Compared> {
  const recorder = await startRecorder()
  const service = await startService({ HOOKS_URL: recorder.url, HOOKS_EVENTS: EVENTS })
  return {
    outcomeOf: (scenario) => outcomeOf(scenario, service.url, recorder, service.dataDir),
    close: async () => {
      await service.close()
      await recorder.close()
    },
  }
}

async function outcomeOf({ run, answers = {} }: Scenario, url: string, recorder: Recorder, folder: string) {
  recorder.begin(answers)
  const client = new Client(url, recorder)
  await run(client)
  const outcome = { calls: recorder.calls, responses: client.got }
  let text = JSON.stringify(outcome).replaceAll(folder, '<folder>')
  for (const [index, name] of client.urls.entries()) {
    text = text.replaceAll(new URL(name).pathname.slice('/files/'.length), `<id ${index + 1}>`)
  }
  const plain: Outcome = JSON.parse(text.replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:<port>'))
  return { ...plain, calls: [...plain.calls].sort((a, b) => keyOf(a).localeCompare(keyOf(b))) }
}

function keyOf({ Type, Event: { Upload } }: Call): string {
  return `${Type} ${Upload['ID']} ${Upload['Offset']}`
}
