import { type Keys, ownerOf } from '../keys.ts'

/** Who owns uploads that have no owner: those created with `AUTH=none`. */
export type UnownedUploads = 'none' | 'everyone' | { readonly subject: string }

/** Turns subjects into owners. */
export class Owners {
  readonly #keys: Pick<Keys, 'owner'>
  readonly #unowned: UnownedUploads
  /** The issuer of subjects that come without one. */
  readonly #issuer: string

  constructor(keys: Pick<Keys, 'owner'>, issuer: string, unowned: UnownedUploads) {
    this.#keys = keys
    this.#issuer = issuer
    this.#unowned = unowned
  }

  /** The owner that a subject is, and whether uploads without an owner are its own. */
  of(subject: string, issuer: string = this.#issuer): { readonly owner: string; readonly ownsUnowned: boolean } {
    const owner = ownerOf(this.#keys, issuer, subject)
    const unowned = this.#unowned
    if (typeof unowned === 'string') return { owner, ownsUnowned: unowned === 'everyone' }
    return { owner, ownsUnowned: owner === ownerOf(this.#keys, this.#issuer, unowned.subject) }
  }
}
