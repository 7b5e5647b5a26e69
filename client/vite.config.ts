import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { elementInDev } from './element-files.ts'
import { staticFiles } from './static-files.ts'

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  publicDir: false,
  // Relative links, so the page works under any path.
  base: './',
  plugins: [elementInDev(), staticFiles()],
  // For `npm run dev`. The service sees the host of the page, so its URLs lead back through the proxy.
  server: {
    proxy: {
      '^/(files|upload|check|session|healthz|readyz)\\b': {
        target: `http://127.0.0.1:${process.env['PORT'] ?? 1080}`,
        changeOrigin: false,
      },
    },
  },
  build: {
    outDir: fileURLToPath(new URL('../dist/client', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    // The pages' content policy restricts data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
})
