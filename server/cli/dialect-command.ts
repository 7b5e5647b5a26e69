import { draftOf } from '../../legacy-adapter/dialects/draft.ts'
import { SHIPPED_NAMES, shippedJson } from '../../legacy-adapter/dialects/shipped.ts'
import { readDialects } from '../open-dialects.ts'
import { type CliCall, cliCommand } from './cli-command.ts'
import { CliError, EXIT, usage } from './exit-codes.ts'
import { recordRequests } from './request-recorder.ts'

const HELP = `landfall dialect list
landfall dialect show NAME
landfall dialect check FILE ...
landfall dialect record [--host HOST] [--port PORT] [--forward URL]

list names the dialects of the package, and show prints one as JSON. check tells what is wrong in files.
record listens for the requests of a page: point its upload URL here, and upload one file of several chunks. When the
page is done, it prints a draft of a dialect, and on standard error what it could not find out.

  --host HOST        address to listen on; by default 127.0.0.1
  --port PORT        port to listen on; by default 2480
  --forward URL      the server that the page has now, which answers; by default, every request succeeds

Exit codes: 0 done, 1 a dialect is wrong, or nothing was recorded, 2 wrong arguments.
`

/** How long a page must be quiet before its recording ends. Milliseconds. */
const QUIET = 3_000

/** `landfall dialect`. */
export const dialect = cliCommand({
  help: HELP,
  options: { host: { type: 'string' }, port: { type: 'string' }, forward: { type: 'string' } },
  run: async (call) => {
    const [act, ...names] = call.positionals
    switch (act) {
      case 'list':
        for (const name of SHIPPED_NAMES) call.print(name)
        return EXIT.done
      case 'show':
        return show(call, names)
      case 'check':
        return check(call, names)
      case 'record':
        return record(call)
      default:
        throw usage('landfall dialect takes list, show, check, or record.')
    }
  },
})

async function show({ print }: CliCall, [name = '', ...others]: readonly string[]): Promise<number> {
  const json = await shippedJson(name)
  if (json === undefined || others.length > 0) {
    throw usage(`landfall dialect show takes one of these names: ${SHIPPED_NAMES.join(', ')}.`)
  }
  print(JSON.stringify(json, undefined, 2))
  return EXIT.done
}

async function check({ print, isJson }: CliCall, sources: readonly string[]): Promise<number> {
  if (sources.length === 0) throw usage('landfall dialect check takes the names of files.')
  const problems = await readDialects(sources.map((source) => ({ source, path: undefined }))).then(
    () => [],
    (error: unknown) => (error instanceof Error ? error.message : String(error)).split('\n'),
  )
  if (isJson) print(JSON.stringify({ ok: problems.length === 0, problems }))
  else for (const line of problems.length === 0 ? ['No problems found.'] : problems) print(line)
  return problems.length === 0 ? EXIT.done : EXIT.failed
}

async function record({ text, print, complain }: CliCall): Promise<number> {
  const port = text('port') ?? '2480'
  const forward = text('forward')
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw usage('--port must be a port.')
  if (forward !== undefined && !/^http:\/\//.test(forward))
    throw usage('--forward must be a URL that begins with http://.')
  const recorder = await recordRequests(
    text('host') ?? '127.0.0.1',
    Number(port),
    forward === undefined ? undefined : new URL(forward),
  ).catch((error: unknown) => {
    throw new CliError(
      `The recorder cannot listen (${error instanceof Error ? error.message : String(error)}).`,
      EXIT.failed,
    )
  })
  complain(`Recording at ${recorder.url}: point the page's upload URL there, and upload one file of several chunks.`)
  await recorder.quiet(QUIET)
  recorder.close()
  const draft = draftOf(recorder.requests)
  if (draft === undefined) throw new CliError('No file was uploaded.', EXIT.failed)
  for (const doubt of draft.doubts) complain(doubt)
  print(JSON.stringify(draft.dialect, undefined, 2))
  return EXIT.done
}
