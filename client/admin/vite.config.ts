import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

/** The page of administrators. It is built apart from the others, because only its own listener serves it. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  publicDir: false,
  // Relative links, so the page works below any path of a proxy.
  base: './',
  build: {
    outDir: fileURLToPath(new URL('../../dist/client/admin', import.meta.url)),
    emptyOutDir: true,
    // The page is at `/admin`, without a slash: its relative links begin above that.
    assetsDir: 'admin/assets',
    target: 'es2022',
    // The page's content policy allows no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
})
