import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { UploadError } from '../../server/core/errors.ts'

/** What a page has said when it was issued a task. */
export interface IssuedTask {
  /** Identifies the task; no client can guess it. */
  readonly id: string
  readonly kept: ReadonlyMap<string, string>
}

const CIPHER = 'aes-256-gcm'
const IV_BYTES = 12
const TAG_BYTES = 16
/** Maximum bytes that a task keeps: a name of 255 characters, and some numbers. The task may be part of a URL. */
const MOST_KEPT = 1024

const kept = z.record(z.string(), z.string())

/**
 * Issues the tasks of pages that ask for one before the first chunk. A task holds what the page said then, encrypted and
 * authenticated: nothing is stored until a chunk arrives, and a restart invalidates none.
 */
export class IssuedTasks {
  readonly #key: Buffer

  constructor(secret: string, dialect: string) {
    this.#key = createHmac('sha256', secret).update(`issued task\n${dialect}`).digest()
  }

  /** @throws UploadError `bad_field` if the values are too long. */
  issue(values: ReadonlyMap<string, string>): string {
    const text = Buffer.from(JSON.stringify(Object.fromEntries(values)))
    if (text.length > MOST_KEPT) {
      throw new UploadError('bad_field', `The values to keep are longer than ${MOST_KEPT} bytes.`)
    }
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv(CIPHER, this.#key, iv)
    return Buffer.concat([iv, cipher.update(text), cipher.final(), cipher.getAuthTag()]).toString('base64url')
  }

  /** @throws UploadError `not_found` for a text that is no task of this dialect. */
  open(task: string): IssuedTask {
    const bytes = Buffer.from(task, 'base64url')
    const iv = bytes.subarray(0, IV_BYTES)
    const text = opened(this.#key, iv, bytes.subarray(IV_BYTES))
    // One text per task: the decoder accepts others that mean the same bytes.
    if (text === undefined || bytes.toString('base64url') !== task) {
      throw new UploadError('not_found', 'This upload was not begun here; send the whole file again.')
    }
    return { id: iv.toString('hex'), kept: new Map(Object.entries(kept.parse(JSON.parse(text)))) }
  }
}

function opened(key: Buffer, iv: Buffer, sealed: Buffer): string | undefined {
  if (iv.length < IV_BYTES || sealed.length < TAG_BYTES) return undefined
  const decipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES })
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]).toString()
  } catch {
    return undefined
  }
}
