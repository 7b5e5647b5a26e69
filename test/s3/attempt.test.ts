import { describe, expect, it } from '@jest/globals'
import { type Ranges, union } from '../../server/core/ranges.ts'
import { PieceAttempt, type PiecesOf } from '../../server/s3/attempt.ts'
import { cellSizes } from '../../server/s3/cells.ts'
import { systemClock } from '../../server/s3/clock.ts'
import type { Environment } from '../../server/s3/environment.ts'
import { MemoryBudget } from '../../server/s3/memory-budget.ts'
import type { Piece } from '../../server/s3/names.ts'
import { bytesOf } from '../support/bytes.ts'
import { Bucket, memoryPort } from './memory-s3.ts'

const KIB = 1024
const MIB = 1024 * KIB

function environmentWith(budget: MemoryBudget): Environment {
  return {
    port: memoryPort(new Bucket()),
    bucket: 'bucket',
    prefix: '.landfall/',
    keyOf: ({ id }) => id,
    node: 'node',
    cells: cellSizes(8 * MIB),
    parallel: 4,
    flushAfter: 30_000,
    budget,
    clock: systemClock,
    keepsRejected: true,
  }
}

/** An upload that stores a piece in one turn of the event loop, or as soon as there is no other work. */
class Target implements PiecesOf {
  readonly term = 1
  readonly counted: Piece[] = []
  puts = 0

  cellEnd(position: number): number {
    return (Math.floor(position / (8 * MIB)) + 1) * 8 * MIB
  }

  cut(_position: number, count: number): number {
    return count
  }

  async put(): Promise<void> {
    this.puts += 1
    await turn()
  }

  async count(pieces: readonly Piece[]): Promise<void> {
    this.counted.push(...pieces)
  }

  drop(): void {}

  over(): void {}

  get received(): Ranges {
    return union(this.counted)
  }
}

/** An upload whose puts take some turns, and read their bytes at the end. */
class SlowTarget extends Target {
  readonly stored: Buffer[] = []

  override async put(piece?: Piece, bytes?: Buffer): Promise<void> {
    for (let i = 0; i < 5; i++) await turn()
    if (piece !== undefined && bytes !== undefined) this.stored[piece.index] = Buffer.from(bytes)
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

describe('attempts that need more memory than there is', () => {
  it.each([1, 2, 4])('all end with %i MiB', async (limit) => {
    const budget = new MemoryBudget(limit * MIB)
    const environment = environmentWith(budget)
    const count = 100
    const length = 700 * KIB
    const targets = Array.from({ length: count }, () => new Target())
    let ended = 0
    for (const target of targets) {
      const attempt = new PieceAttempt(environment, target, { start: 0, end: length }, 'when-verified')
      const work = async (): Promise<void> => {
        for (let sent = 0; sent < length; sent += 10 * KIB) {
          await attempt.write([Buffer.alloc(Math.min(10 * KIB, length - sent))])
          await turn()
        }
        await attempt.commit()
        ended += 1
      }
      void work()
    }
    // Each turn does work, unless all attempts wait for each other.
    for (let quiet = 0, before = -1; ended < count && quiet < 100; ) {
      await turn()
      const now = budget.used + targets.reduce((sum, { puts }) => sum + puts, 0)
      quiet = now === before ? quiet + 1 : 0
      before = now
    }
    expect(ended).toBe(count)
    expect(targets.every(({ received }) => received[0]?.end === length)).toBe(true)
    expect(budget.used).toBe(0)
  })
})

it('The memory of a piece is used again only when it has been stored', async () => {
  const target = new SlowTarget()
  const content = bytesOf(50 * MIB)
  const range = { start: 0, end: content.length }
  const attempt = new PieceAttempt(environmentWith(new MemoryBudget(256 * MIB)), target, range, 'as-received')
  for (let at = 0; at < content.length; at += 100_000) await attempt.write([content.subarray(at, at + 100_000)])
  await attempt.commit()
  expect(Buffer.concat(target.stored).equals(content)).toBe(true)
})
