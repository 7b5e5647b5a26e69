import { isIPv6 } from 'node:net'
import type { Context, Middleware } from 'koa'
import { MAX_WAIT, waitAtMost } from '../core/deadline.ts'
import { KeyedSlots } from '../core/slots.ts'
import { HEALTH_PATH } from './paths.ts'
import { traceOf } from './trace.ts'

/** The limits of a queue, and the requests that join it. */
interface QueueRules {
  /** Maximum concurrent requests. */
  readonly most: number
  /** Maximum wait, in milliseconds. */
  readonly wait: number
  /** The error message after that wait. */
  readonly sentence: string
  /** The queue of a request. */
  readonly queueOf: (ctx: Context) => string
}

/**
 * Runs at most `most` requests of a client address concurrently; 0 for no limit. Further requests wait, their body
 * unread: WebUploader would abandon the file after an error. Behind a trusted proxy, the address is the forwarded one.
 *
 * @param wait how long a request waits, in milliseconds; then it throws UploadError `busy`.
 */
export function limitUploads(most: number, wait: number = MAX_WAIT): Middleware {
  if (most === 0) return (_, next) => next()
  const sentence = 'Too many concurrent uploads from your address; try again in a moment.'
  return limitRequests({ most, wait, sentence, queueOf: (ctx) => clientOf(ctx.ip) })
}

/** How often callers may call, by key. */
export interface Rate {
  /** Waits until the next call of `key` is due; `undefined` if it is at once. @throws UploadError `too_many_requests`. */
  turn(key: string): Promise<void> | undefined
}

/** Delays the requests of a client address that come too fast, their body unread. Health checks are exempt. */
export function limitRate(rate: Rate): Middleware {
  return async (ctx, next) => {
    if (!HEALTH_PATH.test(ctx.path)) await rate.turn(clientOf(ctx.ip))
    return next()
  }
}

/**
 * Runs at most `most` requests of a queue concurrently. Others wait; after `wait` they throw UploadError `busy`.
 */
export function limitRequests({ most, wait, sentence, queueOf }: QueueRules): Middleware {
  const slots = new KeyedSlots(most)
  return async (ctx, next) => {
    const abort = new AbortController()
    const entered = slots.enter(queueOf(ctx), abort.signal)
    const trace = traceOf(ctx.req)
    if (trace !== undefined) trace.intake = 'waiting'
    const leave = await waitAtMost(wait, entered, sentence, (reason) => abort.abort(reason))
    if (trace !== undefined) trace.intake = undefined
    try {
      await next()
    } finally {
      leave()
    }
  }
}

/**
 * The client that an address belongs to. An IPv6 host owns a network of 64 bits, and uses any of its addresses
 * (RFC 4291 §2.5.4, RFC 8981), so the network is the client. An IPv4 address is a client, also when mapped into IPv6.
 */
export function clientOf(address: string): string {
  // All hosts of a link have the same link-local network.
  if (!isIPv6(address) || /^fe80:/i.test(address)) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const [left = [], right = []] = address.split('::').map((half) => half.split(':').filter((group) => group !== ''))
  const last = right.at(-1)?.includes('.') ? right.length + 1 : right.length
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - last) }, () => '0')
  const network = [...left, ...zeros, ...right].slice(0, 4)
  return network.map((group) => Number.parseInt(group, 16).toString(16)).join(':')
}
