import type { TextKey } from './en.ts'

/** A number of bytes, which each language formats when it is shown. */
export interface Bytes {
  readonly bytes: number
}

/** Values of placeholders. */
export type Values = Readonly<Record<string, string | number | Bytes>>

/** A text with its values, which can be shown in any language. */
export interface Text {
  readonly key: TextKey
  readonly values?: Values
}
