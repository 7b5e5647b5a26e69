import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { Auth } from './access.ts'
import { type Answer, byRequest, parseAnswers } from './answers.ts'
import { draftFaultOf, interimFaultOf, speaksDraft } from './draft-verdict.ts'
import { type Ending, exchange } from './exchange.ts'
import { Stage } from './fuzzed-program.ts'
import { withCredentials } from './grammar/credentials.ts'
import { isWellFramed, type Message, render } from './message.ts'
import { type Mutation, mutate, mutation } from './mutation.ts'
import { faultOf, hidingFaultOf, legacyFaultOf, privacyFaultOf, refusesHead, statusFaultOf } from './verdict.ts'

/** The traffic of one connection. */
interface Visit {
  readonly messages: readonly Message[]
  readonly mutations: readonly Mutation[]
  /** Where the bytes are cut into pieces, in fractions of 65,536. */
  readonly cuts: readonly number[]
  readonly ending: Ending
}

/** The extent of a campaign. */
export interface Effort {
  readonly auth: Auth
  readonly seed: number
  /** Where in the tree of a failed run to begin, as reported by fast-check. */
  readonly path?: string | undefined
  readonly runs: number
  /** Milliseconds; unlimited by default. */
  readonly limit?: number
}

/** The results of a campaign. */
export interface Tally {
  readonly runs: number
  readonly messages: number
  /** The number of responses, by status. */
  readonly answers: ReadonlyMap<number, number>
  /** Resident memory of the program in MiB, at regular intervals. */
  readonly resident: readonly number[]
}

/** Maximum concurrent connections. */
const AT_ONCE = 8
const MEASURE_EVERY = 100

/**
 * Sends the requests of a grammar, intact or damaged, to the built program, and checks the responses, the program, and
 * its directory.
 *
 * @throws Error of fast-check, with the seed and path that repeat it, and the smallest failing case.
 */
export async function campaign(grammar: fc.Arbitrary<Message>, effort: Effort): Promise<Tally> {
  const stage = await Stage.open(effort.auth)
  const requests = effort.auth === 'jwt' ? withCredentials(grammar) : grammar
  let messages = 0
  const answers = new Map<number, number>()
  let runs = 0
  const resident: number[] = []
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(visitOf(requests), { minLength: 1, maxLength: AT_ONCE }), async (visits) => {
        await stage.prepare()
        const statuses = await Promise.all(visits.map((visit) => make(visit, effort.auth, stage))).catch(
          async (error) => {
            // If the program has ended, that is the reason, with its output.
            await stage.expectAlive()
            throw error
          },
        )
        await turn()
        await stage.check()
        for (const visit of visits) messages += visit.messages.length
        for (const status of statuses.flat()) answers.set(status, (answers.get(status) ?? 0) + 1)
        if (runs % MEASURE_EVERY === 0) resident.push(await stage.resident())
        runs += 1
      }),
      {
        seed: effort.seed,
        ...(effort.path === undefined ? {} : { path: effort.path }),
        numRuns: effort.runs,
        ...(effort.limit === undefined ? {} : { interruptAfterTimeLimit: effort.limit, markInterruptAsFailure: false }),
      },
    )
    await stage.checkAtRest()
  } finally {
    await stage.close()
  }
  return { runs, messages, answers, resident }
}

function visitOf(grammar: fc.Arbitrary<Message>): fc.Arbitrary<Visit> {
  return fc.record({
    messages: fc.oneof(
      { weight: 5, arbitrary: fc.array(grammar, { minLength: 1, maxLength: 1 }) },
      { weight: 1, arbitrary: fc.array(grammar, { minLength: 2, maxLength: 3 }) },
    ),
    mutations: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 3 }) },
    ),
    cuts: fc.array(fc.nat(0xffff), { maxLength: 5 }),
    ending: fc.oneof(
      { weight: 12, arbitrary: fc.constant<Ending>('wait') },
      { weight: 1, arbitrary: fc.constantFrom<Ending>('close', 'reset') },
    ),
  })
}

/** @returns the statuses of the responses. @throws Error with the bytes and the fault. */
async function make(
  { messages, mutations, cuts, ending }: Visit,
  auth: Auth,
  stage: Stage,
): Promise<readonly number[]> {
  const rendered = messages.map((message, i) => render(message, i === messages.length - 1))
  const text = stage.spare(mutations.reduce(mutate, stage.fill(rendered.join(''))))
  const isUntouched = mutations.length === 0 && messages.every(isWellFramed)
  try {
    const { received, isCut } = await exchange(stage.port, piecesOf(text, cuts), ending, isUntouched)
    const answers = parseAnswers(received, isUntouched ? messages.map(({ method }) => method) : undefined, isCut)
    for (const answer of answers) {
      fail(faultOf(answer, stage.secrets))
      fail(statusFaultOf(answer, auth))
      fail(
        privacyFaultOf(
          answer,
          stage.privateTexts.filter((one) => !text.includes(one)),
        ),
      )
    }
    for (const [i, some] of byRequest(answers).entries()) {
      fail(interimFaultOf(some, (isUntouched ? rendered[i] : undefined) ?? text))
    }
    if (isUntouched && ending === 'wait') {
      // Bytes after a request whose response ends the connection can reset it, and the response is lost (RFC 9112
      // §9.6).
      if (answers.length === 0 && messages.length === 1) fail('There is no answer.')
      const [message] = messages
      const first = answers.find(({ status }) => status >= 200)
      if (message !== undefined && messages.length === 1) await compare(message, text, cuts, first, stage)
      if (message !== undefined && first !== undefined && !refusesHead(first, text)) {
        const path = legacyPathOf(message)
        if (path !== undefined) fail(legacyFaultOf(first, path))
        if (speaksDraft(message)) fail(draftFaultOf(first, message))
      }
    }
    return answers.map(({ status }) => status)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`${reason}\nSent: ${JSON.stringify(text.slice(0, 4000))}`)
  }
}

/** Sends a request for a hidden upload again, for one that does not exist: the responses must not differ. */
async function compare(
  message: Message,
  text: string,
  cuts: readonly number[],
  hidden: Answer | undefined,
  stage: Stage,
): Promise<void> {
  const [line = ''] = text.split('\r\n')
  const other = stage.withUnknownIds(text)
  if (hidden === undefined || other === undefined || stage.withUnknownIds(line) === undefined) return
  const { received, isCut } = await exchange(stage.port, piecesOf(other, cuts), 'wait', true)
  const unknown = parseAnswers(received, [message.method], isCut).find(({ status }) => status >= 200)
  const renamed = { ...hidden, body: stage.withUnknownIds(hidden.body) ?? hidden.body }
  if (unknown !== undefined) fail(hidingFaultOf(renamed, unknown))
}

function fail(reason: string | undefined): void {
  if (reason !== undefined) throw new Error(reason)
}

function legacyPathOf(message: Message): '/upload/accept' | '/upload/complete' | '/check' | undefined {
  if (message.headers.some(([name]) => /override|origin|access-control/i.test(name))) return
  const [path] = message.target.split('?')
  if (path === '/check') return message.method === 'POST' ? path : undefined
  if (path === '/upload/accept') return message.method === 'POST' ? path : undefined
  return path === '/upload/complete' && /^(GET|POST)$/.test(message.method) ? path : undefined
}

function piecesOf(text: string, cuts: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1')
  const places = cuts.map((cut) => Math.floor((cut * bytes.length) / 0x10000)).sort((a, b) => a - b)
  const ends = [...places, bytes.length]
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end)).filter((piece) => piece.length > 0)
}
