import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'

/** What describes the element, by its name in the built site. */
const FILES = { 'landfall-upload.d.ts': 'api.d.ts', 'custom-elements.json': 'custom-elements.json' }

/** A Vite plugin that adds the types and the description of the element to what is built. */
export function elementFiles(): Plugin {
  return {
    name: 'landfall-element-files',
    generateBundle() {
      for (const [fileName, source] of Object.entries(FILES)) {
        const path = fileURLToPath(new URL(`element/${source}`, import.meta.url))
        this.emitFile({ type: 'asset', fileName, source: readFileSync(path) })
      }
    },
  }
}

/** A Vite plugin that serves the element, at its path in the built site, from its sources. */
export function elementInDev(): Plugin {
  return {
    name: 'landfall-element-in-dev',
    configureServer({ middlewares }) {
      middlewares.use((request, _response, next) => {
        if (request.url?.startsWith('/landfall-upload.js')) request.url = '/element/landfall-upload.ts'
        next()
      })
    },
  }
}
