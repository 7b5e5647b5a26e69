import { defineConfig } from 'vite'

// DIALECTS=vue-simple-uploader landfall
const service = process.env.LANDFALL ?? 'http://127.0.0.1:1080'

// One origin, as behind nginx: the page needs no CORS, and the service tells visitors apart by their cookie.
const listen = {
  host: '127.0.0.1',
  port: Number(process.env.PORT ?? 3000),
  proxy: { '^/(upload|check|files)\\b': service },
}

export default defineConfig({
  server: listen,
  preview: listen,
  // The build of Vue that compiles templates in the page. With @vitejs/plugin-vue, the component can be a .vue file.
  resolve: { alias: { vue: 'vue/dist/vue.esm-bundler.js' } },
})
