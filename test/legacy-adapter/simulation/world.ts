import { DELIVERY } from '../../../legacy-adapter/caller.ts'
import { CheckHistory } from '../../../legacy-adapter/check-history.ts'
import {
  type Candidate,
  type ChunkSet,
  chunksOfSender,
  chunksToSkip,
  decide,
  isWhole,
  meantByCheck,
  meantByComplete,
  QUIET_AFTER,
  type SenderState,
  skippedWrongly,
} from '../../../legacy-adapter/which-upload.ts'
import { union } from '../../../server/core/ranges.ts'

/** A file: the content of its chunks, a number for each content. */
export interface SimulatedFile {
  readonly name: string
  readonly content: readonly number[]
  readonly modified: number
}

/** What a request says about its file. `sender` is the text of its id and date. */
export interface Question {
  /** `undefined` without a cookie. */
  readonly visitor: string | undefined
  /** When the visitor got its cookie. */
  readonly since: number | undefined
  readonly task: string
  readonly name: string
  readonly chunks: number
  readonly sender: string | undefined
  readonly modified: number | undefined
}

/** One chunk in flight. */
export interface Sending extends Question {
  readonly sender: string
  readonly chunk: number
  readonly content: number
  /** Its destination, and whether it must prove that the file is the same. */
  upload?: SimulatedUpload
  isProof?: boolean
  waitsSince?: number
  answer?: number
}

/** An upload, without its bytes. */
export interface SimulatedUpload {
  readonly id: string
  readonly question: Question
  readonly created: number
  readonly content: Map<number, number>
  readonly shares: Map<string, Set<number>>
  /** All senders that ever fed it. */
  readonly everFed: Set<string>
  senders: string[]
  modified: number | undefined
  inFlight: number
  lastFailed: boolean
  contested: boolean
  confirmed: boolean
  finished: number | undefined
  quietSince: number
  fed: number
}

interface Sender {
  proving: string | undefined
  rejected: SenderState['rejected']
}

/** The service, reduced to the decision which upload is meant: the rule is real, bytes and disk are not. */
export class World {
  /** Milliseconds. */
  time = 0
  readonly uploads: SimulatedUpload[] = []
  readonly #histories = new Map<string, CheckHistory>()
  readonly #senders = new Map<string, Sender>()
  #order = 0

  /** A chunk arrives: it is placed, waits, or is refused. */
  arrive(sending: Sending): void {
    const { visitor, task, sender: name, chunk, chunks, modified } = sending
    const sender = this.#senderOf(sending)
    const history = this.#historyOf(visitor, task)
    const skips = history.skips(task, fileOf(sending), name, chunks)
    const candidates = this.#candidates(sending).filter(
      ({ knowsSender, finished }, _, all) => knowsSender || (!finished && !all.some((other) => other.knowsSender)),
    )
    const decision = decide({ chunk, modified }, candidates, sender, skips, this.time)
    switch (decision.kind) {
      case 'use':
        this.#begin(sending, this.#upload(decision.id), false)
        break
      case 'prove':
        sender.proving = decision.id
        if (chunk === 0) this.#begin(sending, this.#upload(decision.id), true)
        else sending.waitsSince ??= this.time
        break
      case 'wait':
        sending.waitsSince ??= this.time
        break
      case 'content_differs':
        sender.rejected = { byLaterChunk: true, last: this.time }
        sending.answer = 409
        break
      case 'wrongly_skipped':
        history.refuse(task)
        sending.answer = 409
        break
      case 'create':
        sender.rejected = undefined
        history.touch(task)
        history.clearRefusal(task)
        this.#begin(sending, this.#create(sending), false)
        break
    }
  }

  /** All bytes of a chunk have arrived. @returns the upload that this finishes. */
  complete(sending: Sending): SimulatedUpload | undefined {
    const { upload, chunk, content, sender } = sending
    if (upload === undefined) throw new Error('The chunk was not placed.')
    this.#end(upload)
    const isKnown = sending.isProof === true || upload.senders.includes(sender)
    if (isKnown && (upload.content.get(chunk) ?? content) !== content) {
      this.#reject(sending, upload)
      return undefined
    }
    if (upload.finished === undefined) upload.content.set(chunk, content)
    upload.lastFailed = !isKnown
    if (!isKnown) {
      sending.answer = 409
      return undefined
    }
    if (sending.isProof) this.#join(sending, upload)
    upload.everFed.add(sender)
    upload.shares.set(sender, (upload.shares.get(sender) ?? new Set()).add(chunk))
    const finished = this.#finishIfWhole(upload)
    const { chunks, visitor, task } = sending
    const listed = this.#historyOf(visitor, task).listed(task)
    const isSkipped =
      upload.finished === undefined &&
      upload.inFlight === 0 &&
      skippedWrongly(chunk, setOf(upload.content.keys()), chunks, listed)
    if (isSkipped) upload.lastFailed = true
    sending.answer = isSkipped ? 409 : 200
    return finished
  }

  /** The connection of a chunk breaks prematurely. */
  breakOff({ upload }: Sending): void {
    if (upload === undefined) return
    this.#end(upload)
    upload.lastFailed = true
  }

  /** Everything in memory is lost. */
  restart(): void {
    this.#senders.clear()
    for (const [name, history] of this.#histories) this.#histories.set(name, CheckHistory.from(history.toString()))
    for (const upload of this.uploads) {
      upload.inFlight = 0
      upload.lastFailed = true
    }
  }

  /** A bare check. @returns the chunks by task. */
  checkAll(visitor: string | undefined): ReadonlyMap<string, ChunkSet> {
    const lists = new Map<string, ChunkSet>()
    if (visitor === undefined) return lists
    const history = this.#historyOf(visitor, '')
    for (const task of history.groups.filter((group) => !history.isRefused(group))) {
      const unfinished = this.uploads.filter(
        ({ question, finished }) => question.visitor === visitor && question.task === task && finished === undefined,
      )
      lists.set(task, chunksToSkip(unfinished.map((upload) => this.#candidateOf(upload, upload.question))))
    }
    history.recordBare(lists)
    return lists
  }

  /** A check with name and size, and with all fields if it has a sender. */
  check(question: Question): ChunkSet {
    const { visitor, task, sender, modified } = question
    const history = this.#historyOf(visitor, task)
    const candidates = this.#candidates(question)
    const known = candidates.find(({ own, knowsSender }) => own && knowsSender) ?? candidates.find((c) => c.knowsSender)
    const listed =
      sender !== undefined && known !== undefined
        ? chunksOfSender(known)
        : chunksToSkip(meantByCheck(candidates, modified))
    const chunks = history.isRefused(task) ? [] : listed
    if (sender === undefined) history.recordFile(task, fileOf(question), chunks)
    else history.recordSender(task, sender, chunks)
    return chunks
  }

  /** `/upload/complete`. @returns the upload that it has finished. */
  ask(asked: Question): SimulatedUpload | undefined {
    const named = this.uploads.filter(
      ({ question, created }) =>
        question.task === asked.task && question.name === asked.name && isVisible(question, created, asked),
    )
    const meant = meantByComplete(named)
    if (meant === undefined) return undefined
    const isFull = meant.content.size === meant.question.chunks
    const isEnded = meant.finished === undefined && isFull && meant.inFlight === 0 && !meant.contested
    if (isEnded) meant.finished = this.#next()
    if (meant.finished !== undefined) meant.confirmed = true
    return isEnded ? meant : undefined
  }

  #begin(sending: Sending, upload: SimulatedUpload, isProof: boolean): void {
    sending.upload = upload
    sending.isProof = isProof
    upload.inFlight += 1
  }

  #end(upload: SimulatedUpload): void {
    upload.inFlight -= 1
    upload.quietSince = this.time
    upload.fed = this.#next()
  }

  #create(question: Sending): SimulatedUpload {
    const upload: SimulatedUpload = {
      id: String(this.uploads.length),
      question,
      created: this.time,
      content: new Map(),
      shares: new Map(),
      everFed: new Set(),
      senders: [question.sender],
      modified: question.modified,
      inFlight: 0,
      lastFailed: false,
      contested: false,
      confirmed: false,
      finished: undefined,
      quietSince: this.time,
      fed: this.#next(),
    }
    this.uploads.push(upload)
    return upload
  }

  #reject(sending: Sending, upload: SimulatedUpload): void {
    const sender = this.#senderOf(sending)
    sender.proving = undefined
    sender.rejected = { byLaterChunk: sending.chunk !== 0, last: this.time }
    upload.lastFailed = true
    upload.contested = true
    if (!sending.isProof) upload.senders = upload.senders.filter((other) => other !== sending.sender)
    sending.answer = 409
  }

  #join(sending: Sending, upload: SimulatedUpload): void {
    this.#senderOf(sending).proving = undefined
    if (!upload.senders.includes(sending.sender)) upload.senders.push(sending.sender)
    upload.modified ??= sending.modified
    this.#historyOf(sending.visitor, sending.task).clearRefusal(sending.task)
  }

  #finishIfWhole(upload: SimulatedUpload): SimulatedUpload | undefined {
    const { chunks, visitor, task } = upload.question
    if (upload.finished !== undefined || upload.content.size < chunks) return undefined
    const shares = upload.senders.map((sender) => setOf(upload.shares.get(sender) ?? []))
    if (!isWhole(shares, chunks, this.#historyOf(visitor, task).listed(task))) return undefined
    upload.finished = this.#next()
    return upload
  }

  #candidates(question: Question): Candidate[] {
    const { task, name, chunks } = question
    return this.uploads
      .filter(({ question: of }) => of.task === task && of.name === name && of.chunks === chunks)
      .filter(({ question: of, created }) => isVisible(of, created, question))
      .map((upload) => this.#candidateOf(upload, question))
  }

  #candidateOf(upload: SimulatedUpload, { visitor, sender }: Question): Candidate {
    const { id, contested, finished, modified, fed, inFlight, lastFailed, quietSince } = upload
    return {
      id,
      own: upload.question.visitor === visitor,
      knowsSender: sender !== undefined && upload.senders.includes(sender),
      finished: finished !== undefined,
      contested,
      atRest: inFlight === 0 && (lastFailed || this.time - quietSince >= QUIET_AFTER),
      chunks: setOf(upload.content.keys()),
      modified,
      fed,
    }
  }

  #upload(id: string): SimulatedUpload {
    const upload = this.uploads[Number(id)]
    if (upload === undefined) throw new Error('There is no such upload.')
    return upload
  }

  #historyOf(visitor: string | undefined, task: string): CheckHistory {
    const name = visitor ?? `task ${task}`
    const history = this.#histories.get(name) ?? CheckHistory.from(undefined)
    this.#histories.set(name, history)
    return history
  }

  #senderOf(question: Sending): Sender {
    const name = [question.visitor, question.task, fileOf(question), question.sender].join(' ')
    const sender = this.#senders.get(name) ?? { proving: undefined, rejected: undefined }
    this.#senders.set(name, sender)
    return sender
  }

  #next(): number {
    this.#order += 1
    return this.#order
  }
}

/** Like the rule of the adapter, for clients of one network. */
function isVisible(of: Question, created: number, { visitor, since = 0 }: Question): boolean {
  if (of.visitor !== undefined || visitor === undefined) return of.visitor === visitor
  return created <= since + DELIVERY
}

function fileOf({ name, chunks }: Question): string {
  return `${name}/${chunks}`
}

function setOf(chunks: Iterable<number>): ChunkSet {
  return union([...chunks].map((chunk) => ({ start: chunk, end: chunk + 1 })))
}
