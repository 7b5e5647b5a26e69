import { expect, test } from '@jest/globals'
import { hasGrown } from '../../bench/soak/growth.ts'
import { AUTHS } from './access.ts'
import { campaign } from './campaign.ts'
import { auth as authGrammar } from './grammar/auth.ts'
import { check } from './grammar/check.ts'
import { download } from './grammar/download.ts'
import { draft } from './grammar/draft.ts'
import { http } from './grammar/http.ts'
import { multipart } from './grammar/multipart.ts'
import { query } from './grammar/query.ts'
import { tus } from './grammar/tus.ts'

const MINUTE = 60_000
/** The runs of a test unless `npm run fuzz` sets minutes: a few seconds. */
const RUNS = { none: 20, jwt: 8 } as const
/** How long one program and its directory are used. */
const LEG = 5 * MINUTE

/** Tolerated growth of resident memory, in MiB: garbage that V8 has not collected yet. */
const MARGIN = { share: 0, fixed: 48 }

const { FUZZ_AUTH, FUZZ_MINUTES, FUZZ_PARSER, FUZZ_SEED, FUZZ_PATH } = process.env
const minutes = Number(FUZZ_MINUTES ?? 0)
const firstSeed = Number(FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))

const grammars = Object.entries({ tus, draft, multipart, query, check, download, http, auth: authGrammar })
const campaigns = AUTHS.filter((auth) => FUZZ_AUTH === undefined || FUZZ_AUTH === auth).flatMap((auth) =>
  grammars
    .filter(([name]) => FUZZ_PARSER === undefined || FUZZ_PARSER === name)
    .map(([name, grammar]) => ({ auth, name, grammar })),
)

test.each(campaigns)(
  'Any bytes sent as $name with AUTH=$auth receive a proper response or none, and harm nothing',
  async ({ auth, name, grammar }) => {
    const end = performance.now() + minutes * MINUTE
    const total = { runs: 0, messages: 0, answers: new Map<number, number>() }
    for (let seed = firstSeed; ; seed = (seed + 1) | 0) {
      const left = end - performance.now()
      const long = { runs: Number.MAX_SAFE_INTEGER, limit: Math.min(LEG, left) }
      const tally = await campaign(grammar, {
        auth,
        seed,
        path: FUZZ_PATH,
        ...(minutes > 0 ? long : { runs: RUNS[auth] }),
      })
      total.runs += tally.runs
      total.messages += tally.messages
      for (const [status, count] of tally.answers) total.answers.set(status, (total.answers.get(status) ?? 0) + count)
      expect([seed, hasGrown(tally.resident, MARGIN)]).toEqual([seed, false])
      if (minutes > 0) report(`${name}, AUTH=${auth}`, seed, total, tally.resident)
      if (end - performance.now() < MINUTE / 12) return
    }
  },
  minutes * MINUTE + 4 * MINUTE,
)

interface Total {
  readonly runs: number
  readonly messages: number
  readonly answers: ReadonlyMap<number, number>
}

function report(name: string, seed: number, { runs, messages, answers }: Total, resident: readonly number[]): void {
  const memory = [resident[0], Math.max(...resident), resident.at(-1)].map((mib) => mib?.toFixed()).join(', ')
  const statuses = [...answers].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`)
  process.stderr.write(
    `${name}, up to seed ${seed}: ${runs} runs, ${messages} requests; answers ${statuses.join(', ')}; MiB at first, at most, at last: ${memory}\n`,
  )
}
