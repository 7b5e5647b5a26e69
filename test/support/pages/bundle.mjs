// Writes clients.ts, or the module that is named, with its imports, as one script to standard output. In its own process, because vite's bundler
// does not load inside Jest.
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const [{ output }] = await build({
  configFile: false,
  logLevel: 'error',
  define: { 'process.env.NODE_ENV': '"production"' },
  build: {
    write: false,
    lib: {
      entry: fileURLToPath(new URL(process.argv[2] ?? 'clients.ts', import.meta.url)),
      formats: ['iife'],
      name: 'page',
    },
  },
})
process.stdout.write(output[0].code)
