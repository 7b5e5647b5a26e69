#!/usr/bin/env node
import { start } from './service.ts'
import { readSettings } from './settings.ts'

async function main(): Promise<void> {
  const asked = readSettings(process.env, process.argv.slice(2))
  if (asked.kind === 'help') {
    process.stdout.write(asked.text)
    return
  }
  const service = await start(asked.settings)
  process.stdout.write(`Landfall listens on ${service.url}\n`)
  await signal()
  // A second signal means now.
  process.once('SIGTERM', () => process.exit(1)).once('SIGINT', () => process.exit(1))
  await service.close()
  process.exit(0)
}

function signal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve()).once('SIGINT', () => resolve())
  })
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
