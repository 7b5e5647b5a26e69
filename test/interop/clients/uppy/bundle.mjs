// Bundles the page with each version of Uppy into one script: uppy-<version>/page.iife.js.
import { copyFileSync, readdirSync } from 'node:fs'
import { build } from 'vite'

for (const folder of readdirSync('.').filter((name) => name.startsWith('uppy-'))) {
  copyFileSync('page.js', `${folder}/page.js`)
  await build({
    configFile: false,
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      outDir: folder,
      emptyOutDir: false,
      lib: { entry: `${folder}/page.js`, formats: ['iife'], name: 'page', fileName: () => 'page.iife.js' },
    },
  })
}
