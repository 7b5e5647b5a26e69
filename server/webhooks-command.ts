import { parseArgs } from 'node:util'
import type { Backlog } from './core/written-event.ts'
import { type KeptEvents, withKeptEvents } from './kept-events.ts'
import { settingsOfCommand } from './read-settings.ts'
import { endpointName } from './webhooks/endpoint.ts'

const WEBHOOKS_HELP = `landfall webhooks ls [--data-dir DIR]
landfall webhooks retry [--data-dir DIR] [ID ...]

ls lists, for each of WEBHOOK_URLS, the events that are pending, and the dead letters: events that it did not accept
for three days. retry queues dead letters again: those with these ids (evt_...), or all of them.
Both work while the service runs, which sends queued letters within seconds, with STORE=s3 within a minute; a stopped
one sends them at its start.
`

/**
 * `landfall webhooks`.
 *
 * @param print receives lines for the operator.
 * @throws Error with a sentence for the operator when an argument is wrong, or the data directory is not accessible;
 * S3Error.
 */
export async function webhooks(
  environment: NodeJS.ProcessEnv,
  args: readonly string[],
  print: (line: string) => void,
): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { 'data-dir': { type: 'string' }, help: { type: 'boolean' } },
  })
  const [command, ...ids] = positionals
  if (values.help === true || (command !== 'ls' && command !== 'retry')) return print(WEBHOOKS_HELP.trimEnd())
  const settings = settingsOfCommand(environment, values['data-dir'])
  await withKeptEvents(settings, (events) => run(events, settings.WEBHOOK_URLS, command, ids, print))
}

/** @throws Error with a sentence for the operator when there is no dead letter with an id. */
export function run(
  events: KeptEvents,
  urls: readonly URL[],
  command: 'ls' | 'retry',
  ids: readonly string[],
  print: (line: string) => void,
): Promise<void> {
  return command === 'ls' ? list(events, urls, print) : retry(events, ids, print)
}

async function list(events: KeptEvents, urls: readonly URL[], print: (line: string) => void): Promise<void> {
  const names = new Map(urls.map((url) => [endpointName(url), url.origin]))
  const backlogs = await events.backlogs([...names.keys()])
  if (backlogs.length === 0) print('No WEBHOOK_URLS, and no dead letters.')
  for (const backlog of backlogs) describe(backlog, names.get(backlog.endpoint), print)
}

/** @param origin that of the URL, which may have a secret in its path; `undefined` if it is not in WEBHOOK_URLS. */
function describe(
  { endpoint, pending, oldest, dead }: Backlog,
  origin: string | undefined,
  print: (line: string) => void,
): void {
  print(`${endpoint} ${origin ?? '(not in WEBHOOK_URLS)'}`)
  print(`  pending: ${pending}${oldest === undefined ? '' : `, the oldest since ${oldest.toISOString()}`}`)
  print(`  dead: ${dead.length}`)
  for (const { id, type, upload, at, why } of dead) {
    print(`    ${id} ${type} ${upload} ${new Date(at).toISOString()} ${JSON.stringify(why)}`)
  }
}

async function retry(events: KeptEvents, ids: readonly string[], print: (line: string) => void): Promise<void> {
  const names = await events.deadLetters()
  const idOf = (name: string): string => name.slice(0, name.indexOf('.'))
  const known = new Set(names.map(idOf))
  const unknown = ids.find((id) => !known.has(id))
  if (unknown !== undefined) throw new Error(`Unknown dead letter: ${unknown}.`)
  const wanted = names.filter((name) => ids.length === 0 || ids.includes(idOf(name)))
  for (const name of wanted) await events.sendAgain(name)
  print(`Dead letters queued: ${wanted.length}.`)
}
