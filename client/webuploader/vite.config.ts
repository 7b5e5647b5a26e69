import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

/** The script for pages of others: a single classic script under a name that never changes. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  publicDir: false,
  build: {
    outDir: fileURLToPath(new URL('../../dist/client', import.meta.url)),
    emptyOutDir: false,
    target: 'es2022',
    lib: {
      entry: 'src/main.ts',
      formats: ['iife'],
      name: 'LandfallWebUploader',
      fileName: () => 'landfall-webuploader.js',
    },
    minify: true,
    reportCompressedSize: false,
  },
})
