#!/usr/bin/env node
import { doctor } from './doctor.ts'
import { readSettings } from './read-settings.ts'
import { start } from './service.ts'

async function main(): Promise<void> {
  if (process.argv[2] === 'doctor') {
    process.exitCode = await doctor(process.env, process.argv.slice(3), (line) => process.stdout.write(`${line}\n`))
    return
  }
  if (process.argv[2] === 'token') {
    // It loads a library that the service may not need.
    const { token } = await import('./token.ts')
    return token(process.env, process.argv.slice(3), (line) => process.stdout.write(`${line}\n`))
  }
  if (process.argv[2] === 'webhooks') {
    const { webhooks } = await import('./webhooks-command.ts')
    return webhooks(process.env, process.argv.slice(3), (line) => process.stdout.write(`${line}\n`))
  }
  const command = readSettings(process.env, process.argv.slice(2))
  if (command.kind === 'help') {
    process.stdout.write(command.text)
    return
  }
  // Handled from the beginning, because process 1 of a container ignores signals without a handler.
  const stopSignal = nextStopSignal()
  const service = await Promise.race([start(command.settings), stopSignal])
  // Stopped during the start, which may be interrupted anywhere.
  if (service === undefined) process.exit(0)
  process.stdout.write(`Landfall listens on ${service.url}\n`)
  await stopSignal
  // A second signal stops the process at once.
  process.once('SIGTERM', () => process.exit(1)).once('SIGINT', () => process.exit(1))
  await service.close()
  process.exit(0)
}

function nextStopSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve(undefined)).once('SIGINT', () => resolve(undefined))
  })
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
