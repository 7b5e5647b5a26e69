import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'

const require = createRequire(import.meta.url)

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** The directory of an installed package. Throws when it is not installed. */
function packageFolder(name: string): string {
  return dirname(require.resolve(`${name}/package.json`))
}

/** The files of the classical page by path in the built site. Legacy pages use these paths, so they have no hash. */
function filesByName(): Map<string, string> {
  const own = fileURLToPath(new URL('legacy', import.meta.url))
  const webuploader = join(packageFolder('webuploader'), 'dist')
  const jquery = join(packageFolder('jquery'), 'dist')
  const bootstrap = join(packageFolder('bootstrap'), 'dist')
  const files = new Map([
    ['legacy.html', join(own, 'legacy.html')],
    ['static/jquery/jquery.min.js', join(jquery, 'jquery.min.js')],
    ['static/bootstrap/css/bootstrap.min.css', join(bootstrap, 'css/bootstrap.min.css')],
    ['static/bootstrap/js/bootstrap.bundle.min.js', join(bootstrap, 'js/bootstrap.bundle.min.js')],
    ['static/webuploader/webuploader.css', join(webuploader, 'webuploader.css')],
    ['static/webuploader/webuploader.min.js', join(webuploader, 'webuploader.min.js')],
    ['static/legacy/icon.svg', fileURLToPath(new URL('icon.svg', import.meta.url))],
  ])
  for (const name of readdirSync(own)) {
    if (name !== 'legacy.html') files.set(`static/legacy/${name}`, join(own, name))
  }
  return files
}

/** A Vite plugin that adds the classical page and its libraries, unchanged, to the built site and the dev server. */
export function staticFiles(): Plugin {
  return {
    name: 'landfall-static-files',
    configureServer({ middlewares }) {
      middlewares.use((request, response, next) => {
        const { pathname } = new URL(request.url ?? '/', 'http://localhost')
        const path = filesByName().get(pathname === '/legacy' ? 'legacy.html' : pathname.slice(1))
        if (path === undefined) return next()
        response.setHeader('Content-Type', TYPES[extname(path)] ?? 'application/octet-stream')
        response.end(readFileSync(path))
      })
    },
    generateBundle() {
      for (const [fileName, path] of filesByName()) {
        this.emitFile({ type: 'asset', fileName, source: readFileSync(path) })
      }
    },
  }
}
