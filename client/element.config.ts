import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { elementFiles } from './element-files.ts'
import { HELPER, smallModule } from './small-module.ts'

const ENTRY = fileURLToPath(new URL('element/landfall-upload.ts', import.meta.url))

/** Replaces a library of tus-js-client by what each browser of the element has. */
const platform = (name: string): string => fileURLToPath(new URL(`element/platform/${name}.ts`, import.meta.url))

/** What Rolldown knows about the modules. */
interface Modules {
  getModuleInfo(id: string): { readonly importers: readonly string[] } | null
}

/** The chunk of what the start shares with other parts. */
function startChunk(id: string, modules: Modules): string | null {
  return id.endsWith(HELPER) || isNeededAtStart(id, modules) ? 'start' : null
}

/** Whether the entry imports a module, if need be by others, but not by `import()`. */
function isNeededAtStart(id: string, modules: Modules, seen = new Set<string>()): boolean {
  if (id === ENTRY) return true
  seen.add(id)
  const importers = modules.getModuleInfo(id)?.importers ?? []
  return importers.some((importer) => !seen.has(importer) && isNeededAtStart(importer, modules, seen))
}

/** `<landfall-upload>` as a module of its own, at `/landfall-upload.js`; what it loads when needed is under `/assets`. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  publicDir: false,
  base: './',
  plugins: [smallModule(), elementFiles()],
  resolve: { alias: { 'url-parse': platform('url'), 'js-base64': platform('base64') } },
  worker: { format: 'es' },
  build: {
    outDir: fileURLToPath(new URL('../dist/client', import.meta.url)),
    // The page was built before.
    emptyOutDir: false,
    target: 'es2022',
    // Style sheets use light-dark(), which follows the colour scheme of the page.
    cssTarget: ['chrome123', 'firefox121', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
    rollupOptions: {
      input: ENTRY,
      preserveEntrySignatures: 'strict',
      output: {
        entryFileNames: 'landfall-upload.js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
        // One file has what the start shares with other parts, another one what only these share.
        codeSplitting: {
          groups: [
            { debugName: 'start', name: (id, context) => startChunk(id, context), minShareCount: 2, priority: 1 },
            { name: 'shared', test: /\/client\/(src|element)\//, minShareCount: 2 },
          ],
        },
      },
    },
  },
})
