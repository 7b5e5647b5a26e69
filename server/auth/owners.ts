import { ownerOf } from '../keys.ts'

/** Who owns uploads that have no owner: those begun without authentication. */
export type UnownedUploads = 'nobody' | 'everyone' | { readonly subject: string }

/** Turns subjects into owners. */
export class Owners {
  readonly #key: Buffer
  readonly #unowned: UnownedUploads
  /** The issuer of subjects that come without one. */
  readonly #issuer: string

  constructor(key: Buffer, issuer: string, unowned: UnownedUploads) {
    this.#key = key
    this.#issuer = issuer
    this.#unowned = unowned
  }

  /** The owner that a subject is, and whether uploads without an owner are its own. */
  of(subject: string, issuer: string = this.#issuer): { readonly owner: string; readonly ownsUnowned: boolean } {
    const owner = this.#digest(subject, issuer)
    const unowned = this.#unowned
    if (typeof unowned === 'string') return { owner, ownsUnowned: unowned === 'everyone' }
    return { owner, ownsUnowned: owner === this.#digest(unowned.subject, this.#issuer) }
  }

  #digest(subject: string, issuer: string): string {
    return ownerOf({ owner: this.#key }, issuer, subject)
  }
}
