import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { elementFiles } from './element-files.ts'
import { smallModule } from './small-module.ts'

/** `<landfall-upload>` as a module of its own, at `/landfall-upload.js`; what it loads when needed is under `/assets`. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  publicDir: false,
  base: './',
  plugins: [smallModule(), elementFiles()],
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
      input: fileURLToPath(new URL('element/landfall-upload.ts', import.meta.url)),
      preserveEntrySignatures: 'strict',
      output: {
        entryFileNames: 'landfall-upload.js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
        // What several parts share is in one file, so that the element needs two requests until it is there.
        codeSplitting: { groups: [{ name: 'shared', test: /\/client\/(src|element)\//, minShareCount: 2 }] },
      },
    },
  },
})
