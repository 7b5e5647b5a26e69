import type { UploadRecord } from '../core/record.ts'
import type { CellSizes } from './cells.ts'
import type { Clock } from './clock.ts'
import type { MemoryBudget } from './memory-budget.ts'
import type { S3Port } from './s3-port.ts'

/** What all uploads of a store share. */
export interface Environment {
  readonly port: S3Port
  /** Its name, for those who read files in it. */
  readonly bucket: string
  /** Of everything but files; ends with a slash. */
  readonly prefix: string
  /** The key of the finished file: a function of the record, in which the id is a part. */
  readonly keyOf: (record: UploadRecord) => string
  /** Random: one per process. */
  readonly node: string
  readonly cells: CellSizes
  /** How many pieces of a stream, and how many copies of an upload, are under way at a time. */
  readonly parallel: number
  /** How long bytes of a slow stream wait in memory, in milliseconds. */
  readonly flushAfter: number
  readonly budget: MemoryBudget
  readonly clock: Clock
  /** Whether the bytes of rejected uploads stay for the operator. */
  readonly keepsRejected: boolean
}
