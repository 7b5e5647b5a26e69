import { parseArgs } from 'node:util'

/** What the bench was asked for. */
export interface Asked {
  readonly mode: 'table' | 'curves'
  readonly rounds: number
  /** Part of the names of the workloads to run; empty for all. */
  readonly only: string
  /** Parts of the names of the servers to run; empty for all. */
  readonly peers: readonly string[]
  /** Results of an earlier run, to be shown in place of a new one. */
  readonly from: string | undefined
  readonly check: boolean
  readonly publish: boolean
}

export const HELP = `npm run bench -- [curves] [flags]

  curves            draw how time and memory grow with size and concurrency, in place of the table
  --rounds N        how often each server does each workload (5; curves 3)
  --only TEXT       only workloads with this in their name
  --peers A,B       only servers with one of these in their name
  --from FILE       show an earlier run's results
  --check           compare with bench/targets.json
  --publish         write the results to bench/results/published.json, too

Programs are found on PATH, or where TUSD, RUSTUS, NGINX and PYTHON say.
`

/** @returns nothing when help was asked for. @throws Error with a sentence when a flag is wrong. */
export function readArguments(args: readonly string[]): Asked | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      only: { type: 'string' },
      peers: { type: 'string' },
      from: { type: 'string' },
      check: { type: 'boolean' },
      publish: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) return undefined
  const mode = positionals[0] ?? 'table'
  if ((mode !== 'table' && mode !== 'curves') || positionals.length > 1) throw new Error(`What is “${positionals}”?`)
  const rounds = Number(values.rounds ?? process.env['ROUNDS'] ?? (mode === 'table' ? 5 : 3))
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('The rounds must be a whole number from 1.')
  if (mode === 'curves' && values.check === true) throw new Error('There are no targets for curves.')
  return {
    mode,
    rounds,
    only: values.only ?? '',
    peers: (values.peers ?? '').split(',').filter((name) => name !== ''),
    from: values.from,
    check: values.check ?? false,
    publish: values.publish ?? false,
  }
}
