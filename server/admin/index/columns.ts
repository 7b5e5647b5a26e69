import { FAILURE_CODES } from '../../core/record.ts'
import { UPLOAD_STATES, type UploadLine, type UploadState } from '../contract.ts'
import { Arena, KEY_ADDRESS, type Texts } from './arena.ts'
import type { IndexRow } from './rows.ts'
import { Uint48Column } from './uint48.ts'

const PROTOCOLS = ['tus', 'draft', 'webuploader'] as const satisfies readonly UploadLine['protocol'][]

const NO_NAME = Buffer.alloc(0)

/** In `flags`, after the number of the protocol. */
const IS_RELATED = 4

/** The first capacity, and by which part it grows. */
const FIRST_CAPACITY = 4_096
const GROWTH = 16

/** The number of a state, in the order of the contract. */
export function numberOfState(state: UploadState): number {
  return UPLOAD_STATES.indexOf(state)
}

/**
 * The facts of uploads, one typed array for each: a million objects would take several times the memory. An upload is a
 * slot, from 1 on; slot 0 is for keys that others are compared with.
 */
export class Columns {
  /** 0 for a free slot. */
  addresses = new Uint32Array(FIRST_CAPACITY)
  states = new Uint8Array(FIRST_CAPACITY)
  readonly createdAt = new Uint48Column(FIRST_CAPACITY)
  readonly changedAt = new Uint48Column(FIRST_CAPACITY)
  /** One more than the size; 0 while it is not known. */
  readonly sizes = new Uint48Column(FIRST_CAPACITY)
  readonly received = new Uint48Column(FIRST_CAPACITY)
  /** `hashOf` the task id; 0 without one. */
  tasks = new Uint32Array(FIRST_CAPACITY)
  readonly arena = new Arena()
  #flags = new Uint8Array(FIRST_CAPACITY)
  #failures = new Uint8Array(FIRST_CAPACITY)
  readonly #free: number[] = []
  #used = 1

  /** The slot after the last one in use. */
  get end(): number {
    return this.#used
  }

  /** Bytes of all arrays. */
  get bytes(): number {
    const own = [this.addresses, this.states, this.tasks, this.#flags, this.#failures]
    const numbers = [this.createdAt, this.changedAt, this.sizes, this.received]
    const arrays = own.reduce((sum, column) => sum + column.byteLength, 0)
    return numbers.reduce((sum, column) => sum + column.bytes, arrays + this.arena.bytes)
  }

  /** Takes a free slot for an upload. */
  add(row: IndexRow): number {
    const slot = this.#free.pop() ?? this.#next()
    this.addresses[slot] = this.arena.add(row)
    this.set(slot, row)
    return slot
  }

  /** Sets everything but the texts. */
  set(slot: number, row: IndexRow): void {
    this.states[slot] = numberOfState(row.state)
    this.createdAt.set(slot, row.createdAt)
    this.changedAt.set(slot, row.changedAt)
    this.sizes.set(slot, (row.size ?? -1) + 1)
    this.received.set(slot, row.received)
    this.tasks[slot] = row.taskId === null ? 0 : hashOf(row.taskId)
    this.#flags[slot] = PROTOCOLS.indexOf(row.protocol) + (row.isRelated ? IS_RELATED : 0)
    this.#failures[slot] = row.failure === null ? 0 : FAILURE_CODES.indexOf(row.failure) + 1
  }

  remove(slot: number): void {
    this.arena.remove(this.addresses[slot] ?? 0)
    this.addresses[slot] = 0
    this.tasks[slot] = 0
    this.#free.push(slot)
    if (this.arena.isWasteful) this.arena.compact(this.addresses)
  }

  /** Makes slot 0 a key. */
  setKey(id: Buffer, key: { name?: Buffer; owner?: string | null; state?: number; createdAt?: number; size?: number }) {
    this.addresses[0] = KEY_ADDRESS
    this.arena.setKey(id, key.owner ?? null, key.name ?? NO_NAME)
    this.states[0] = key.state ?? 0
    this.createdAt.set(0, key.createdAt ?? 0)
    this.sizes.set(0, (key.size ?? -1) + 1)
  }

  row(slot: number): IndexRow {
    const { id, owner, name, taskId }: Texts = this.arena.texts(this.addresses[slot] ?? 0)
    const size = this.sizes.get(slot) - 1
    const flags = this.#flags[slot] ?? 0
    return {
      id,
      name,
      size: size < 0 ? null : size,
      received: this.received.get(slot),
      state: UPLOAD_STATES[this.states[slot] ?? 0] ?? 'receiving',
      owner,
      protocol: PROTOCOLS[flags & 3] ?? 'tus',
      createdAt: this.createdAt.get(slot),
      changedAt: this.changedAt.get(slot),
      taskId,
      failure: FAILURE_CODES[(this.#failures[slot] ?? 0) - 1] ?? null,
      isRelated: this.isRelated(slot),
    }
  }

  idOf(slot: number): string {
    return this.arena.idOf(this.addresses[slot] ?? 0)
  }

  isRelated(slot: number): boolean {
    return ((this.#flags[slot] ?? 0) & IS_RELATED) !== 0
  }

  #next(): number {
    const slot = this.#used
    if (slot === this.addresses.length) this.#grow(slot + FIRST_CAPACITY + Math.floor(slot / GROWTH))
    this.#used += 1
    return slot
  }

  #grow(capacity: number): void {
    for (const numbers of [this.createdAt, this.changedAt, this.sizes, this.received]) numbers.grow(capacity)
    const bigger = <T extends Uint8Array | Uint32Array>(column: T, made: T): T => {
      made.set(column)
      return made
    }
    this.addresses = bigger(this.addresses, new Uint32Array(capacity))
    this.states = bigger(this.states, new Uint8Array(capacity))
    this.tasks = bigger(this.tasks, new Uint32Array(capacity))
    this.#flags = bigger(this.#flags, new Uint8Array(capacity))
    this.#failures = bigger(this.#failures, new Uint8Array(capacity))
  }
}

/** FNV-1a with 32 bits, never 0. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0 || 1
}
