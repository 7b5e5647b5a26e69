import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/**
 * The program in few files: to find and read the several hundred of its modules and packages takes half of a start.
 * Packages that load files of their own, or that few need, stay outside.
 */
export default defineConfig({
  root: ROOT,
  publicDir: false,
  logLevel: 'error',
  ssr: { noExternal: true, external: ['@aws-sdk/client-s3', '@tus/file-store', '@tus/server', 'pino'] },
  build: {
    ssr: true,
    outDir: fileURLToPath(new URL('../dist/program', import.meta.url)),
    emptyOutDir: true,
    target: 'node20',
    minify: false,
    sourcemap: true,
    rollupOptions: {
      input: Object.fromEntries(
        ['main', 'program', 'read-settings', 'healthcheck', 'admin/index-worker'].map((name) => [
          path.basename(name),
          `${ROOT}server/${name}.ts`,
        ]),
      ),
      output: { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
    },
  },
})
