import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import { UploadError } from '../core/errors.ts'
import type { Action } from '../core/principal.ts'
import { protocolOf } from '../protocol/protocol.ts'
import type { Authenticator } from './authenticator.ts'

/** Begins the last segment of a link; no id of an upload has this character. */
const MARK = '~'
const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const EXPIRY_BYTES = 6
const MAX_SEGMENT = 400
const PATH = /^\/files\/[^/]+\/?$/
const READ: ReadonlySet<Action> = new Set(['read'])

/**
 * Read-only links to uploads. Without authentication, the id of an upload is the right to write it, so a link holds it
 * encrypted.
 */
export class Links {
  readonly #key: Buffer

  /** @param key 32 bytes. */
  constructor(key: Buffer) {
    this.#key = key
  }

  /**
   * The name in the path `/files/<name>` by which a file can be read until a moment.
   *
   * @param expires seconds since 1970.
   */
  sign(id: string, expires: number): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(CIPHER, this.#key, nonce)
    const expiry = Buffer.alloc(EXPIRY_BYTES)
    expiry.writeUIntBE(expires, 0, EXPIRY_BYTES)
    const sealed = Buffer.concat([nonce, cipher.update(expiry), cipher.update(id, 'utf8'), cipher.final()])
    return MARK + Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64url')
  }

  /** The id of the upload; `undefined` if the link is not valid, or has expired. */
  open(name: string): string | undefined {
    const bytes = Buffer.from(name.slice(MARK.length, MAX_SEGMENT), 'base64url')
    if (bytes.length <= NONCE_BYTES + EXPIRY_BYTES + TAG_BYTES) return undefined
    const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    const opened = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
    try {
      decipher.final()
    } catch {
      return undefined
    }
    if (opened.readUIntBE(0, EXPIRY_BYTES) * 1000 <= Date.now()) return undefined
    return opened.toString('utf8', EXPIRY_BYTES)
  }
}

/** A reader is charged for nothing. */
const NO_ACCOUNT = (): string => ''

/** Accepts links for downloads; other requests are authenticated as usual. Protocols of uploads accept no link. */
export function withLinks(authenticator: Authenticator, links: Links): Authenticator {
  return {
    authenticate: (ctx, request) => {
      if (request.id?.startsWith(MARK) !== true || !isDownload(ctx)) return authenticator.authenticate(ctx, request)
      const link = links.open(request.id)
      if (link === undefined) throw new UploadError('forbidden', 'This link is not valid, or has expired.')
      return { owner: undefined, ownsUnowned: false, may: READ, limits: {}, link, account: NO_ACCOUNT }
    },
  }
}

function isDownload(ctx: Context): boolean {
  return (ctx.method === 'GET' || ctx.method === 'HEAD') && PATH.test(ctx.path) && protocolOf(ctx) === undefined
}
