import type { UploadRecord } from '../core/record.ts'

/** What an import finds in the folder of another server. */
export type Found =
  | {
      readonly kind: 'upload'
      /** What the operator calls it. */
      readonly name: string
      readonly record: UploadRecord
      /** Its files, in the order of their bytes. */
      readonly files: readonly string[]
      /** How many bytes they have. */
      readonly size: number
    }
  /** Something that cannot be imported; `sentence` says why. */
  | { readonly kind: 'problem'; readonly name: string; readonly sentence: string }
  /** A file that belongs to no upload. */
  | { readonly kind: 'stray'; readonly name: string }

export type FoundUpload = Extract<Found, { kind: 'upload' }>

/** Whether every byte of it is there. */
export function isComplete({ record, size }: FoundUpload): boolean {
  return record.length === size
}
