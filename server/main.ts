#!/usr/bin/env node
import { doctor } from './doctor.ts'
import { start } from './service.ts'
import { readSettings } from './settings.ts'

async function main(): Promise<void> {
  if (process.argv[2] === 'doctor') {
    process.exitCode = await doctor(process.env, process.argv.slice(3), (line) => process.stdout.write(`${line}\n`))
    return
  }
  const asked = readSettings(process.env, process.argv.slice(2))
  if (asked.kind === 'help') {
    process.stdout.write(asked.text)
    return
  }
  // Listened to from the beginning: process 1 of a container ignores signals that it does not handle.
  const stopping = signal()
  const service = await Promise.race([start(asked.settings), stopping])
  // Stopped during the start, which can be cut off anywhere and taken up again.
  if (service === undefined) process.exit(0)
  process.stdout.write(`Landfall listens on ${service.url}\n`)
  await stopping
  // A second signal means now.
  process.once('SIGTERM', () => process.exit(1)).once('SIGINT', () => process.exit(1))
  await service.close()
  process.exit(0)
}

function signal(): Promise<undefined> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve(undefined)).once('SIGINT', () => resolve(undefined))
  })
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
