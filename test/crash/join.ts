import { UploadModel } from './model.ts'

/** A file that a client sends in concurrent parts, then concatenates (tus-js-client: `parallelUploads`). */
export class Join {
  readonly name: string
  readonly content: Buffer
  /** Where each part ends. */
  readonly #ends: readonly number[]
  /** The created parts, by position. */
  readonly parts = new Map<number, UploadModel>()
  /** The final upload, once it has been requested. */
  final: UploadModel | undefined

  constructor(name: string, content: Buffer, ends: readonly number[]) {
    this.name = name
    this.content = content
    this.#ends = ends
  }

  /** Positions without a part. */
  get missing(): number[] {
    return [...this.#ends.keys()].filter((place) => !this.parts.has(place))
  }

  get partsInOrder(): UploadModel[] {
    return [...this.#ends.keys()].flatMap((place) => this.parts.get(place) ?? [])
  }

  contentOf(place: number): Buffer {
    return this.content.subarray(this.#ends[place - 1] ?? 0, this.#ends[place])
  }

  /** Whether anything remains to be done. A part that is gone ends the others, too. */
  get isOpen(): boolean {
    if (this.partsInOrder.some((part) => part.removal !== 'none')) return false
    return this.final?.isOpen ?? true
  }

  /** Creates the final upload of all parts. */
  bind(): UploadModel {
    if (this.final !== undefined) return this.final
    const parts = this.partsInOrder
    const final = new UploadModel(this.name, this.content, 'acknowledged', { kind: 'final', parts })
    for (const part of parts) part.final = final
    this.final = final
    return final
  }
}
