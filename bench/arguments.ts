import { parseArgs } from 'node:util'

/** The arguments of the bench. */
export interface Arguments {
  readonly mode: 'table' | 'curves'
  readonly rounds: number
  /** Part of the names of the workloads to run; empty for all. */
  readonly only: string
  /** Parts of the names of the servers to run; empty for all. */
  readonly peers: readonly string[]
  /** Results of an earlier run to show instead of a new run. */
  readonly from: string | undefined
  readonly check: boolean
  readonly publish: boolean
}

export const HELP = `npm run bench -- [curves] [flags]

  curves            draw time and memory over size and concurrency, instead of the table
  --rounds N        runs of each workload per server (5; curves 3)
  --only TEXT       only workloads whose name contains this
  --peers A,B       only servers whose name contains one of these
  --from FILE       show the results of an earlier run
  --check           compare with bench/targets.json
  --publish         also write the results to bench/results/published.json

Programs are found on PATH, or at the paths in TUSD, RUSTUS, NGINX, and PYTHON.
`

/** @returns undefined for --help. @throws Error with a sentence when an argument is wrong. */
export function readArguments(args: readonly string[]): Arguments | undefined {
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
  if ((mode !== 'table' && mode !== 'curves') || positionals.length > 1) {
    throw new Error(`Unknown argument “${positionals.join(' ')}”; only curves is possible.`)
  }
  const rounds = Number(values.rounds ?? process.env['ROUNDS'] ?? (mode === 'table' ? 5 : 3))
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds must be a whole number from 1.')
  if (mode === 'curves' && values.check === true)
    throw new Error('--check is not possible with curves, which have no targets.')
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
