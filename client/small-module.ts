import type { Plugin } from 'vite'

/** What Vite adds to each `import()`. */
export const HELPER = 'vite/preload-helper.js'

/**
 * A Vite plugin that makes the module of the element smaller: short names for private members, which minifiers keep,
 * and no code that preloads style sheets, of which the element has none.
 */
export function smallModule(): Plugin {
  const names = new Map<string, string>()
  const short = (_: string, name: string): string => {
    const known = names.get(name) ?? `_${names.size.toString(36)}`
    names.set(name, known)
    return `#${known}`
  }
  return {
    name: 'landfall-small-module',
    enforce: 'pre',
    load: (id) => (id === `\0${HELPER}` ? 'export const __vitePreload = (load) => load()' : null),
    transform: (code, id) =>
      /\/client\/element\/.*\.ts$/.test(id)
        ? { code: code.replace(/(?<=[\s.!(,])#([a-z]\w*)/gi, short), map: null }
        : null,
  }
}
