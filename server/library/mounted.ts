import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { isPath, type Place, placeBelow, setMountPath } from '../http/mount-path.ts'
import { originFormOf } from '../http/origin-form.ts'

/** Passes a request on to the next handler of the application. */
export type Next = (error?: unknown) => void

/** The HTTP side of a service. */
interface Application {
  readonly handler: RequestListener
  readonly owns: (path: string) => boolean
}

/** What middleware of Koa needs of its context. */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly originalUrl: string
  respond?: boolean | undefined
}

/** The service as a part of the HTTP server of an application, at any path. */
export class Mounted {
  readonly #application: Application
  readonly #basePath: string
  readonly #onNotice: (sentence: string) => void
  readonly #idleTimeout: number
  readonly #running = new Set<ServerResponse>()
  #isServerKnown = false
  #onIdle: (() => void) | undefined

  /**
   * @param basePath the path of the service where the server of the application does not strip it; empty for none.
   * @param idleTimeout when to disconnect a client that reads nothing of its response, in milliseconds.
   */
  constructor(application: Application, basePath: string, idleTimeout: number, onNotice: (sentence: string) => void) {
    this.#application = application
    this.#basePath = basePath
    this.#idleTimeout = idleTimeout
    this.#onNotice = onNotice
  }

  /** For Express, Connect, Nest, and servers of `node:http`. */
  readonly handler = (request: IncomingMessage, response: ServerResponse, next?: Next): void => {
    const place = this.#placeOf(request, originalUrlOf(request), next !== undefined)
    if (place === undefined) next?.()
    else this.#run(place, request, response)
  }

  /** Middleware for Koa. */
  readonly koa = async (ctx: KoaContext, next: () => Promise<unknown>): Promise<void> => {
    const place = this.#placeOf(ctx.req, ctx.originalUrl, true)
    if (place === undefined) {
      await next()
      return
    }
    ctx.respond = false
    const closed = ctx.res.destroyed ? undefined : new Promise((resolve) => ctx.res.once('close', resolve))
    this.#run(place, ctx.req, ctx.res)
    await closed
  }

  /** Waits for running requests, for `timeout` milliseconds at most. */
  async drain(timeout: number): Promise<void> {
    if (this.#running.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeout)
      this.#onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Disconnects the clients of requests that are still running. */
  interrupt(): void {
    for (const response of this.#running) response.destroy()
  }

  /** @returns `undefined` for a request that is not for the service, if another handler may answer it. */
  #placeOf(request: IncomingMessage, originalUrl: string, isOptional: boolean): Place | undefined {
    const original = originFormOf(originalUrl)
    const place =
      this.#basePath === ''
        ? withoutPrefix(original, originFormOf(request.url ?? '/'))
        : placeBelow(this.#basePath, original)
    // No path is `*`: the service answers that there is nothing.
    if (!isOptional) return place ?? { url: '*', mountPath: '' }
    const path = place?.url.replace(/\?.*$/s, '')
    return path !== undefined && this.#application.owns(path) ? place : undefined
  }

  #run({ url, mountPath }: Place, request: IncomingMessage, response: ServerResponse): void {
    // Other middleware took its time, and the client has gone: `close` would never come.
    if (response.destroyed) return
    this.#checkServer(request)
    // Any other would make the URLs of uploads those of another server.
    if (isPath(mountPath)) setMountPath(request, mountPath)
    request.url = url
    this.#running.add(response)
    response.once('close', () => {
      this.#running.delete(response)
      if (this.#running.size === 0) this.#onIdle?.()
    })
    if (typeof request.socket.setTimeout === 'function') {
      response.setTimeout(this.#idleTimeout, () => {
        if (response.writableLength > 0) response.destroy()
      })
    }
    this.#application.handler(request, response)
  }

  /** The server of the application may end uploads that take longer than a usual request. */
  #checkServer({ socket }: IncomingMessage): void {
    if (this.#isServerKnown) return
    this.#isServerKnown = true
    const server: unknown = 'server' in socket ? socket.server : undefined
    if (typeof server !== 'object' || server === null || !('requestTimeout' in server)) return
    const { requestTimeout } = server
    if (typeof requestTimeout !== 'number' || requestTimeout === 0) return
    this.#onNotice(
      `The HTTP server of this application ends every request after ${requestTimeout / 1000} s, including active uploads. Set its requestTimeout to 0; idle uploads end after idleTimeout.`,
    )
  }
}

/** What Express and Connect keep when they strip a path. */
function originalUrlOf(request: IncomingMessage): string {
  const { url = '/' } = request
  return 'originalUrl' in request && typeof request.originalUrl === 'string' ? request.originalUrl : url
}

/** The path that was stripped, if any. */
function withoutPrefix(originalUrl: string, url: string): Place {
  return { url, mountPath: originalUrl.endsWith(url) ? originalUrl.slice(0, -url.length) : '' }
}
