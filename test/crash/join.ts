import { UploadModel } from './model.ts'

/** A file that a client sends in parts at the same time, and has put together (tus-js-client: `parallelUploads`). */
export class Join {
  readonly name: string
  readonly content: Buffer
  /** Where each part ends. */
  readonly #ends: readonly number[]
  /** The parts that have been made, by their place. */
  readonly parts = new Map<number, UploadModel>()
  /** Once it has been asked for. */
  final: UploadModel | undefined

  constructor(name: string, content: Buffer, ends: readonly number[]) {
    this.name = name
    this.content = content
    this.#ends = ends
  }

  /** Places without a part. */
  get missing(): number[] {
    return [...this.#ends.keys()].filter((place) => !this.parts.has(place))
  }

  get partsInOrder(): UploadModel[] {
    return [...this.#ends.keys()].flatMap((place) => this.parts.get(place) ?? [])
  }

  contentOf(place: number): Buffer {
    return this.content.subarray(this.#ends[place - 1] ?? 0, this.#ends[place])
  }

  /** Whether there is something left to do. A part that is gone takes the others with it. */
  get isOpen(): boolean {
    if (this.partsInOrder.some((part) => part.removal !== 'none')) return false
    return this.final?.isOpen ?? true
  }

  /** The final upload of all parts, from now on. */
  bind(): UploadModel {
    if (this.final !== undefined) return this.final
    const parts = this.partsInOrder
    const final = new UploadModel(this.name, this.content, 'acknowledged', { kind: 'final', parts })
    for (const part of parts) part.final = final
    this.final = final
    return final
  }
}
