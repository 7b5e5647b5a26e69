import { defineConfig } from 'vite'

// The page has another origin than the service, which needs ALLOWED_ORIGINS=http://127.0.0.1:3000.
const listen = { host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) }

export default defineConfig({ server: listen, preview: listen })
