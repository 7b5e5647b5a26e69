import { createLandfall } from 'landfall'

/** The only instance, also after Next.js has loaded this module again. */
export function landfall() {
  globalThis.landfall ??= open()
  return globalThis.landfall
}

async function open() {
  const opened = await createLandfall({ dataDir: process.env.DATA_DIR ?? './data', basePath: '/api/uploads' })
  process.once('SIGTERM', opened.close)
  return opened
}
