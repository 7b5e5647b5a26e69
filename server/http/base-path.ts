import type { RequestListener } from 'node:http'
import { placeBelow, setMountPath } from './mount-path.ts'
import { originFormOf } from './origin-form.ts'
import { HEALTH_PATH } from './paths.ts'

/**
 * Serves an application below `basePath`; empty for none. Health checks are also answered without it: a probe reaches
 * the service directly, and must not change with the proxy.
 */
export function serveBelow(basePath: string, handler: RequestListener): RequestListener {
  if (basePath === '') return handler
  return (request, response) => {
    const target = originFormOf(request.url ?? '/')
    const [path = ''] = target.split('?')
    if (HEALTH_PATH.test(path)) {
      handler(request, response)
      return
    }
    if (path === basePath && (request.method === 'GET' || request.method === 'HEAD')) {
      // The links of the page are relative: they need the slash. Relative, because a proxy may add a path.
      const Location = `${basePath.slice(basePath.lastIndexOf('/') + 1)}/${target.slice(path.length)}`
      response.writeHead(308, { Location, 'Content-Length': 0 }).end()
      return
    }
    const place = placeBelow(basePath, target)
    // No path is `*`: the application answers that there is nothing.
    request.url = place?.url ?? '*'
    if (place !== undefined) setMountPath(request, place.mountPath)
    handler(request, response)
  }
}

/** A path, or part of one, as the application below `basePath` sees it. */
export function pathBelow(basePath: string, path: string): string {
  return placeBelow(basePath, path)?.url ?? path
}
