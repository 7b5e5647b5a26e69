import { PieceMap } from '../../../server/s3/piece-map.ts'
import {
  type Bucket,
  contentsAt,
  hasLanded,
  NEW_BUCKET,
  offsetOf,
  type StoredPiece,
  storedPiece,
  topTerm,
  viewOf,
  without,
} from './bucket.ts'
import type { Model, Move } from './explore.ts'

/**
 * Nodes that write one upload, each as slowly as it may be: a node that takes no step for a while has been stopped, and
 * one that never takes a step again has crashed. Requests are applied at any time after they were sent, or never.
 */

/** The rules that the protocol consists of. A variant breaks one. */
export interface Rules {
  /** Whether a check of the term follows a PUT, precedes it, or is left out. */
  readonly check: 'after' | 'before' | 'never'
  /** What a PUT without an answer leads to. */
  readonly unansweredPut: 'new term' | 'ignored'
  /** What a PUT leads to whose first try had no answer, and whose second one was refused. */
  readonly refusedRetry: 'new term' | 'ignored'
  /** What a check without an answer leads to, after a PUT. */
  readonly unansweredCheck: 'new term' | 'ignored'
  readonly claimIsConditional: boolean
  readonly usesManifest: boolean
  readonly awaitsManifest: boolean
  readonly lists: 'after claim' | 'before claim'
  readonly looksForEnd: 'after listing' | 'before claim'
  readonly looksForNewerTerm: boolean
  /** Whether a term is over when S3 has not been heard for a day. */
  readonly limitsSilence: boolean
  /** From when on a new term listens. */
  readonly hears: 'at claim' | 'at manifest'
  /** When an opener deletes what the manifest makes useless. */
  readonly tidies: 'after check' | 'unchecked'
  /** When a node deletes what a cover replaces. */
  readonly coverReplaces: 'after check' | 'unchecked'
  /** When that happens while a reader lists, which is no writer. */
  readonly coverDeletes: 'after the listing' | 'at once'
  /** Whether such a reader looks for a newer term after its listing. */
  readonly readerChecks: boolean
  readonly deletesClaims: 'after two days' | 'at the end'
  readonly doneIsConditional: boolean
  readonly removal: 'record first' | 'tombstone only'
  /** Whether the check of a report begins after the request has arrived. */
  readonly report: 'own check' | 'earlier check'
}

export const PROTOCOL: Rules = {
  check: 'after',
  unansweredPut: 'new term',
  refusedRetry: 'new term',
  unansweredCheck: 'new term',
  claimIsConditional: true,
  usesManifest: true,
  awaitsManifest: true,
  lists: 'after claim',
  looksForEnd: 'after listing',
  looksForNewerTerm: true,
  limitsSilence: true,
  hears: 'at claim',
  tidies: 'after check',
  coverReplaces: 'after check',
  coverDeletes: 'after the listing',
  readerChecks: true,
  deletesClaims: 'after two days',
  doneIsConditional: true,
  removal: 'record first',
  report: 'own check',
}

/** What may happen; everything else does not, which keeps the number of states small. */
export interface Scenario {
  /** The length of the file. */
  readonly places: number
  readonly nodes: readonly Partial<Node>[]
  readonly s3?: Partial<Bucket>
  /** The attempts whose bytes have been acknowledged before, by place. */
  readonly acknowledged?: readonly number[]
  /** Attempts have two pieces. */
  readonly pairs?: boolean
  readonly covers?: boolean
  readonly finishes?: boolean
  readonly losesAnswers?: boolean
  readonly reports?: boolean
  readonly removal?: 'expiry' | 'deletion'
  /** A node reports the offset without opening the upload, once. */
  readonly reader?: boolean
  /** Two days may pass. */
  readonly sleeps?: boolean
}

export interface Node {
  readonly at: Stage
  readonly term: number
  /** Memory: what counts. */
  readonly counted: readonly StoredPiece[]
  /** The pieces that it is storing. */
  readonly attempt: readonly StoredPiece[]
  readonly useless: readonly string[]
  readonly isLeaving: boolean
  readonly isBroken: boolean
  /** The day on which it last heard S3 in this term. */
  readonly heard: number
  /** What had been reported when the request arrived that it is answering. */
  readonly floor: number
  /** How many bytes were acknowledged when it decided that the upload has expired. */
  readonly looked: number
  /** How many attempts it may begin. */
  readonly puts: number
  /** How often it may open the upload again. */
  readonly opens: number
  /** How many covers it may send. */
  readonly covers: number
  /** How often it may start over because another node was faster. */
  readonly tries: number
}

export type Stage =
  | 'ready'
  | 'may send'
  | 'sending'
  | 'sent'
  | 'written'
  | 'cover sent'
  | 'cover written'
  | 'cover counted'
  | 'asked'
  | 'checked'
  | 'answering'
  | 'composing'
  | 'finishing'
  | 'cleaning'
  | 'leaving'
  | 'leaving written'
  | 'burying'
  | 'erasing'
  | 'locating'
  | 'claiming'
  | 'listing'
  | 'asking'
  | 'recording'
  | 'opened'
  | 'tidying'
  | 'out'

/** Lists an upload that another node writes. */
interface Reader {
  readonly at: 'idle' | 'listing' | 'listed' | 'out'
  /** What the first page had: here, that is covers. */
  readonly page: readonly StoredPiece[]
  /** What it will report, unless there is a newer term than this one. */
  readonly offset: number
  readonly term: number
  readonly floor: number
}

export interface State {
  readonly s3: Bucket
  readonly reader: Reader
  readonly nodes: readonly Node[]
  /** By place, the attempt whose byte a client knows to be stored; 0 for none. */
  readonly acknowledged: readonly number[]
  /** The highest offset that was reported. */
  readonly told: number
  /** A client knows that the upload is gone. */
  readonly isRemoved: boolean
  readonly day: number
  readonly nextAttempt: number
  readonly fault?: string
}

/** What a node forgets with the object of an upload. */
const FORGOTTEN = {
  term: 0,
  counted: [],
  attempt: [],
  useless: [],
  isLeaving: false,
  isBroken: false,
  heard: 0,
  floor: 0,
  looked: 0,
} as const satisfies Partial<Node>

export function termsModel(scenario: Scenario, change: Partial<Rules> = {}): Model<State> {
  const rules = { ...PROTOCOL, ...change }
  const acknowledged = Array.from({ length: scenario.places }, (_, place) => scenario.acknowledged?.[place] ?? 0)
  return {
    initial: {
      s3: { ...NEW_BUCKET, ...scenario.s3 },
      nodes: scenario.nodes.map((node) => ({
        ...FORGOTTEN,
        at: 'locating',
        puts: 0,
        opens: 0,
        covers: 2,
        tries: 1,
        ...node,
      })),
      reader: { at: scenario.reader ? 'idle' : 'out', page: [], offset: 0, term: 0, floor: 0 },
      acknowledged,
      told: acknowledged.filter((attempt) => attempt > 0).length,
      isRemoved: false,
      day: 0,
      nextAttempt: 10,
    },
    moves: (state) => [
      ...movesOfS3(state, scenario),
      ...movesOfReader(state, rules),
      ...state.nodes.flatMap(({ at }, index) => STAGES[at](new Turn(state, index, rules, scenario))),
    ],
    fault: (state) => state.fault ?? brokenPromise(state, rules),
  }
}

/** One node that may take a step. */
class Turn {
  readonly state: State
  readonly index: number
  readonly rules: Rules
  readonly scenario: Scenario
  readonly node: Node

  constructor(state: State, index: number, rules: Rules, scenario: Scenario) {
    const node = state.nodes[index]
    if (node === undefined) throw new RangeError(`There is no node ${index}.`)
    this.state = state
    this.index = index
    this.rules = rules
    this.scenario = scenario
    this.node = node
  }

  to(step: string, node: Partial<Node>, s3?: Partial<Bucket>, rest: Partial<State> = {}): Move<State> {
    const nodes = this.state.nodes.with(this.index, { ...this.node, ...node })
    const bucket = s3 === undefined ? this.state.s3 : { ...this.state.s3, ...s3 }
    const state = { ...this.state, ...rest, nodes, s3: bucket }
    return { step: `${'ABCD'[this.index]}: ${step}`, state }
  }

  /** The node forgets the upload, and opens it again if it may. */
  drop(step: string): Move<State> {
    const { opens } = this.node
    if (opens === 0) return this.to(step, { ...FORGOTTEN, at: 'out', puts: 0 })
    return this.to(step, { ...FORGOTTEN, at: 'locating', opens: opens - 1 })
  }

  startOver(step: string): Move<State> {
    const { tries } = this.node
    if (tries === 0) return this.to(step, { ...FORGOTTEN, at: 'out', puts: 0 })
    return this.to(step, { ...FORGOTTEN, at: 'locating', tries: tries - 1 })
  }

  /** Whether a check finds that the term is over. */
  get isOver(): boolean {
    const { term, heard } = this.node
    const isSilent = this.rules.limitsSilence && this.state.day > heard
    return isSilent || this.state.s3.claims.some((claim) => claim.term === term + 1)
  }

  /** A check, which may find no answer. */
  check(what: string, next: Partial<Node>): readonly Move<State>[] {
    if (this.isOver) return [this.drop(`${what}: the term is over`)]
    return [this.to(`${what}: the term goes on`, { ...next, heard: this.state.day })]
  }
}

const STAGES: Readonly<Record<Stage, (turn: Turn) => readonly Move<State>[]>> = {
  ready,
  'may send': (turn) => send(turn),
  sending(turn) {
    const [first, last] = turn.node.attempt
    if (first === undefined || last === undefined || !hasLanded(turn.state.s3, first)) return []
    return [turn.to('sends the last piece', { at: 'sent' }, { flying: [...turn.state.s3.flying, last] })]
  },
  sent,
  written(turn) {
    const moves = turn.isOver
      ? [turn.drop('checks: the term is over')]
      : [acknowledge(turn, 'checks, and acknowledges')]
    if (!turn.scenario.losesAnswers) return moves
    const step = 'has no answer to its check'
    const isIgnored = turn.rules.unansweredCheck === 'ignored'
    return [...moves, isIgnored ? turn.to(step, { at: 'ready', attempt: [] }) : turn.drop(step)]
  },
  'cover sent'(turn) {
    const [cover] = turn.node.attempt
    // Nothing depends on a cover: whenever it arrives, its bytes are those that count.
    const moves = [turn.to('has no answer to its cover', { at: 'ready', attempt: [] })]
    if (cover === undefined || !hasLanded(turn.state.s3, cover)) return moves
    const at = turn.rules.coverReplaces === 'after check' ? 'cover written' : 'cover counted'
    return [...moves, turn.to('has stored a cover', { at })]
  },
  'cover written': (turn) => turn.check('checks its cover', { at: 'cover counted' }),
  'cover counted'(turn) {
    const isRead = turn.state.reader.at === 'listing' || turn.state.reader.at === 'listed'
    if (isRead && turn.rules.coverDeletes === 'after the listing') return []
    const known = [...turn.node.counted, ...turn.node.attempt]
    const taken = new Set(new PieceMap(known.map(({ piece }) => piece)).takeCovered().map(({ name }) => name))
    const counted = without(known, taken)
    return [
      turn.to(
        'deletes what the cover has',
        { at: 'ready', counted, attempt: [] },
        { pieces: without(turn.state.s3.pieces, taken) },
      ),
    ]
  },
  asked(turn) {
    if (turn.isOver) return [turn.drop('checks for the request: the term is over')]
    return [turn.to('checks for the request', { at: 'answering', heard: turn.state.day })]
  },
  checked: (turn) => [turn.to('receives another request', { at: 'answering', floor: turn.state.told })],
  answering(turn) {
    const offset = offsetOf(turn.node.counted)
    const fault = offset < turn.node.floor ? `the offset falls from ${turn.node.floor} to ${offset}` : undefined
    const told = Math.max(turn.state.told, offset)
    return [turn.to(`reports ${offset}`, { at: 'ready', floor: 0 }, undefined, { told, ...(fault && { fault }) })]
  },
  composing(turn) {
    const { node, scenario, state } = turn
    const there = node.counted.filter((stored) => hasLanded(state.s3, stored))
    if (offsetOf(there) < scenario.places) return [turn.drop('misses pieces of the file')]
    const file = Array.from({ length: scenario.places }, (_, place) => [...contentsAt(there, place)][0] ?? 0)
    return [turn.to('composes the file', { at: 'finishing' }, { file })]
  },
  finishing(turn) {
    const { state, scenario, rules } = turn
    if (state.s3.done === 'none' || !rules.doneIsConditional) {
      const told = Math.max(state.told, scenario.places)
      return [turn.to('writes done: finished', { at: 'cleaning' }, { done: 'finished', endedOn: state.day }, { told })]
    }
    return [turn.to('finds the end', { at: state.s3.done === 'finished' ? 'cleaning' : 'out' })]
  },
  cleaning(turn) {
    const claims = turn.rules.deletesClaims === 'at the end' ? [] : turn.state.s3.claims.filter(({ term }) => term > 1)
    return [turn.to('deletes what was unfinished', { ...FORGOTTEN, at: 'out', puts: 0 }, { ...EMPTY, claims })]
  },
  leaving: (turn) => [
    turn.to('records the removal', { at: 'leaving written' }, { leaving: [...turn.state.s3.leaving, turn.node.term] }),
  ],
  'leaving written': (turn) => turn.check('checks the removal', { at: 'burying' }),
  burying(turn) {
    const { state, node } = turn
    const isLate = state.acknowledged.filter((attempt) => attempt > 0).length > node.looked
    const fault = isLate ? 'bytes were acknowledged after the decision that the upload has expired' : undefined
    return [
      turn.to('writes done: gone', { at: 'erasing' }, { done: 'gone', endedOn: state.day }, fault ? { fault } : {}),
    ]
  },
  erasing(turn) {
    const claims = turn.state.s3.claims.filter(({ term }) => term > 1)
    return [
      turn.to(
        'deletes everything',
        { ...FORGOTTEN, at: 'out', puts: 0 },
        { ...EMPTY, claims, file: undefined },
        { isRemoved: true },
      ),
    ]
  },
  locating(turn) {
    const { rules, state } = turn
    const top = topTerm(state.s3)
    const isEnded = rules.looksForEnd === 'before claim' && state.s3.done !== 'none'
    if (top === 0 || isEnded) return [turn.to('finds the end', { ...FORGOTTEN, at: 'out', puts: 0 })]
    const view = rules.lists === 'before claim' ? viewed(turn) : {}
    return [turn.to(`lists: term ${top}`, { ...view, at: 'claiming', term: top + 1 })]
  },
  claiming(turn) {
    const { rules, state, node } = turn
    const at = rules.lists === 'before claim' ? 'recording' : 'listing'
    const isTaken = state.s3.claims.some(({ term }) => term === node.term)
    if (isTaken && rules.claimIsConditional) return [turn.startOver('finds the claim of another node')]
    if (isTaken) return [turn.to(`overwrites claim ${node.term}`, { at, heard: state.day })]
    const claims = [...state.s3.claims, { term: node.term, day: state.day }].toSorted((a, b) => a.term - b.term)
    return [turn.to(`claims term ${node.term}`, { at, heard: state.day }, { claims })]
  },
  listing(turn) {
    const { rules, state, node } = turn
    const isNewest = topTerm(state.s3) === node.term
    if (rules.looksForNewerTerm && !isNewest) return [turn.startOver('finds a newer term')]
    return [
      turn.to('lists pieces', { ...viewed(turn), at: rules.looksForEnd === 'before claim' ? 'recording' : 'asking' }),
    ]
  },
  asking(turn) {
    if (turn.state.s3.done !== 'none') return [turn.to('finds the end', { ...FORGOTTEN, at: 'out', puts: 0 })]
    return [turn.to('finds no end', { at: 'recording' })]
  },
  recording(turn) {
    const { rules, state, node } = turn
    if (node.isBroken)
      return [turn.to('cannot open the upload', {}, undefined, { fault: 'the upload cannot be opened' })]
    const manifest = { term: node.term, names: node.counted.map(({ piece }) => piece.name), isLeaving: node.isLeaving }
    const next = { at: 'opened', heard: rules.hears === 'at claim' ? node.heard : state.day } as const
    if (!rules.awaitsManifest) return [turn.to('sends its manifest', next, { flying: [...state.s3.flying, manifest] })]
    const manifests = [...state.s3.manifests, manifest].toSorted((a, b) => a.term - b.term)
    return [turn.to(`writes manifest ${node.term}`, next, { manifests })]
  },
  opened: (turn) =>
    turn.rules.tidies === 'unchecked'
      ? [turn.to('needs no check', { at: 'tidying' })]
      : turn.check('checks its term', { at: 'tidying' }),
  tidying(turn) {
    const { s3 } = turn.state
    const { term, useless, isLeaving } = turn.node
    const next = { at: isLeaving ? 'leaving' : 'ready', useless: [], looked: turn.scenario.places } as const
    const manifests = s3.manifests.filter((manifest) => manifest.term >= term)
    const leaving = s3.leaving.filter((record) => record >= term)
    return [
      turn.to('deletes what is useless', next, { manifests, leaving, pieces: without(s3.pieces, new Set(useless)) }),
    ]
  },
  out: () => [],
}

/** What the end of an upload deletes. */
const EMPTY = { manifests: [], leaving: [], pieces: [] } as const satisfies Partial<Bucket>

function ready(turn: Turn): readonly Move<State>[] {
  const { node, state, scenario, rules } = turn
  const offset = offsetOf(node.counted)
  const isWhole = offset >= scenario.places
  const moves: Move<State>[] = []
  if (!isWhole && node.puts > 0) {
    moves.push(...(rules.check === 'before' ? turn.check('checks', { at: 'may send' }) : send(turn)))
  }
  if (isWhole && scenario.covers && node.covers > 0 && node.counted.length > 1) moves.push(sendCover(turn))
  if (isWhole && scenario.finishes) moves.push(turn.to('begins to finish', { at: 'composing' }))
  if (scenario.reports && rules.report === 'own check') {
    moves.push(turn.to('receives a request', { at: 'asked', floor: state.told }))
  } else if (scenario.reports) moves.push(...turn.check('checks for an earlier request', { at: 'checked' }))
  const isRemovable = scenario.removal === 'deletion' || (scenario.removal === 'expiry' && !isWhole)
  if (isRemovable) {
    const looked =
      scenario.removal === 'expiry' ? state.acknowledged.filter((attempt) => attempt > 0).length : scenario.places
    moves.push(
      turn.to('decides on the removal', { at: rules.removal === 'record first' ? 'leaving' : 'burying', looked }),
    )
  }
  return moves
}

function send(turn: Turn): readonly Move<State>[] {
  const { node, state, scenario } = turn
  const offset = offsetOf(node.counted)
  const attempt = state.nextAttempt
  const count = scenario.pairs ? Math.min(2, scenario.places - offset) : 1
  const pieces = Array.from({ length: count }, (_, index) => {
    const facts = { term: node.term, index, isLast: index === count - 1, isCover: false, start: offset + index }
    return storedPiece(facts, attempt, [attempt])
  })
  const next = { at: count > 1 ? 'sending' : 'sent', attempt: pieces, puts: node.puts - 1 } as const
  const flying = [...state.s3.flying, ...pieces.slice(0, 1)]
  return [turn.to(`sends attempt ${attempt} at ${offset}`, next, { flying }, { nextAttempt: attempt + 1 })]
}

function sent(turn: Turn): readonly Move<State>[] {
  const { node, state, scenario, rules } = turn
  const moves: Move<State>[] = []
  const last = node.attempt.at(-1)
  if (last !== undefined && hasLanded(state.s3, last)) {
    const step = 'has an answer to its PUT'
    moves.push(
      rules.check === 'after' ? turn.to(step, { at: 'written' }) : acknowledge(turn, `${step}, and acknowledges`),
    )
  }
  if (scenario.losesAnswers) {
    const ignored = { at: 'ready', attempt: [], puts: Math.max(1, node.puts) } as const
    const unanswered = 'has no answer to its PUT'
    moves.push(rules.unansweredPut === 'ignored' ? turn.to(unanswered, ignored) : turn.drop(unanswered))
    const refused = 'has no answer to its PUT, and a refusal of the next try'
    moves.push(rules.refusedRetry === 'ignored' ? turn.to(refused, ignored) : turn.drop(refused))
  }
  return moves
}

function acknowledge(turn: Turn, step: string): Move<State> {
  const { node, state } = turn
  const counted = [...node.counted, ...node.attempt]
  const acknowledged = [...state.acknowledged]
  let fault: string | undefined
  for (const { piece, bytes } of node.attempt) {
    const [attempt = 0] = bytes
    if ((acknowledged[piece.start] ?? 0) > 0) fault = `byte ${piece.start} is acknowledged twice`
    acknowledged[piece.start] = attempt
  }
  if (state.s3.done !== 'none') fault = 'bytes are acknowledged after the end'
  const told = Math.max(state.told, offsetOf(counted))
  return turn.to(
    step,
    { at: 'ready', counted, attempt: [], heard: state.day },
    {},
    { acknowledged, told, ...(fault && { fault }) },
  )
}

function sendCover(turn: Turn): Move<State> {
  const { node, state, scenario } = turn
  const bytes = Array.from({ length: scenario.places }, (_, place) => [...contentsAt(node.counted, place)][0] ?? 0)
  const cover = storedPiece(
    { term: node.term, index: 0, isLast: true, isCover: true, start: 0 },
    state.nextAttempt,
    bytes,
  )
  const next = { at: 'cover sent', attempt: [cover], covers: node.covers - 1 } as const
  return turn.to('sends a cover', next, { flying: [...state.s3.flying, cover] }, { nextAttempt: state.nextAttempt + 1 })
}

function viewed({ state, rules }: Turn): Partial<Node> {
  return viewOf(state.s3, rules.usesManifest) ?? { isBroken: true }
}

function movesOfReader(state: State, { readerChecks, usesManifest }: Rules): readonly Move<State>[] {
  const { reader, s3, told } = state
  const to = (step: string, change: Partial<Reader>, rest: Partial<State> = {}): readonly Move<State>[] => [
    { step: `reader: ${step}`, state: { ...state, ...rest, reader: { ...reader, ...change } } },
  ]
  switch (reader.at) {
    case 'idle': {
      const page = s3.pieces.filter(({ piece }) => piece.isCover)
      return to('lists the first page', { at: 'listing', page, floor: told })
    }
    case 'listing': {
      const rest = s3.pieces.filter(({ piece }) => !piece.isCover)
      const view = viewOf({ ...s3, pieces: [...reader.page, ...rest] }, usesManifest)
      const term = s3.manifests.at(-1)?.term ?? 1
      const isOverdue = readerChecks && topTerm(s3) !== term
      // The pages are of different times: a manifest of the second one may name pieces that the first one lacks.
      if (isOverdue || view === undefined || s3.done !== 'none') return to('starts over', { at: 'out', page: [] })
      const offset = offsetOf(view.counted)
      return to('lists the second page', { at: 'listed', page: [], offset, term })
    }
    case 'listed': {
      const isOver = s3.claims.some(({ term }) => term === reader.term + 1)
      if (s3.done !== 'none' || (readerChecks && isOver)) return to('finds a newer state', { at: 'out' })
      const fault =
        reader.offset < reader.floor ? { fault: `a reader reports ${reader.offset} after ${reader.floor}` } : {}
      return to(`reports ${reader.offset}`, { at: 'out' }, { told: Math.max(told, reader.offset), ...fault })
    }
    case 'out':
      return []
  }
}

function movesOfS3(state: State, { sleeps = false }: Scenario): readonly Move<State>[] {
  const { s3, day } = state
  const moves = s3.flying.map((request, i): Move<State> => {
    const flying = s3.flying.toSpliced(i, 1)
    if ('names' in request) {
      const manifests = [...s3.manifests, request].toSorted((a, b) => a.term - b.term)
      return { step: `S3: applies manifest ${request.term}`, state: { ...state, s3: { ...s3, flying, manifests } } }
    }
    const pieces = [...s3.pieces, request].toSorted((a, b) => (a.piece.name < b.piece.name ? -1 : 1))
    return { step: `S3: applies ${request.piece.name}`, state: { ...state, s3: { ...s3, flying, pieces } } }
  })
  if (!sleeps) return moves
  // No request lives for days.
  if (day === 0) moves.push({ step: 'two days pass', state: { ...state, day: 1, s3: { ...s3, flying: [] } } })
  if (s3.done !== 'none' && day > s3.endedOn && s3.claims.length > 0) {
    moves.push({ step: 'the claims are deleted', state: { ...state, s3: { ...s3, claims: [] } } })
  }
  const top = topTerm(s3)
  const claims = s3.claims.filter((claim) => claim.term === 1 || claim.term === top || claim.day === day)
  if (s3.done === 'none' && claims.length < s3.claims.length) {
    moves.push({ step: 'old claims are deleted', state: { ...state, s3: { ...s3, claims } } })
  }
  return moves
}

function brokenPromise({ s3, acknowledged, told, isRemoved }: State, { usesManifest }: Rules): string | undefined {
  if (isRemoved && s3.done !== 'gone') return 'a removed upload is back'
  if (s3.done === 'gone') return undefined
  if (s3.done === 'finished') {
    const wrong = acknowledged.findIndex((attempt, place) => attempt > 0 && s3.file?.[place] !== attempt)
    return wrong === -1 ? undefined : `acknowledged byte ${wrong} is not in the file`
  }
  const view = viewOf(s3, usesManifest)
  if (view === undefined) return 'the upload cannot be opened'
  for (const [place, attempt] of acknowledged.entries()) {
    const contents = contentsAt(view.counted, place)
    if (attempt > 0 && !contents.has(attempt)) return `acknowledged byte ${place} is lost`
    if (contents.size > 1) return `two contents count at ${place}`
  }
  const offset = offsetOf(view.counted)
  return offset < told ? `reported bytes are lost: ${told} were reported, and ${offset} count` : undefined
}
