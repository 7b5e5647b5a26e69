#!/usr/bin/env node
import type { Landfall } from './library/open-landfall.ts'
import { openProgram } from './program.ts'
import { readSettings, type SettingTexts } from './read-settings.ts'

type Command = (
  environment: SettingTexts,
  args: readonly string[],
  print: (line: string) => void,
) => Promise<number | undefined> | Promise<void>

/** The subcommands. Each is loaded only when it is called. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  doctor: async () => (await import('./doctor.ts')).doctor,
  import: async () => (await import('./import-command.ts')).importCommand,
  move: async () => (await import('./move/move-command.ts')).move,
  token: async () => (await import('./token.ts')).token,
  webhooks: async () => (await import('./webhooks-command.ts')).webhooks,
}

// The SDK of AWS warns on Node 20 about its later versions; ours is pinned to one that supports it.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'

async function main(): Promise<void> {
  const [name = '', ...args] = process.argv.slice(2)
  if (Object.hasOwn(COMMANDS, name)) {
    const command = await COMMANDS[name]?.()
    const print = (line: string): void => {
      process.stdout.write(`${line}\n`)
    }
    process.exitCode = (await command?.(process.env, args, print)) ?? 0
    return
  }
  const command = readSettings(process.env, process.argv.slice(2))
  if (command.kind === 'help') {
    process.stdout.write(command.text)
    return
  }
  // Handled from the beginning, because process 1 of a container ignores signals without a handler.
  const stopSignal = nextStopSignal()
  const started = openProgram(command.settings).then(listening)
  const program = await Promise.race([started, stopSignal])
  // Stopped during the start, which may be interrupted anywhere.
  if (program === undefined) process.exit(0)
  process.stdout.write(`Landfall listens on ${program.url}\n`)
  await stopSignal
  // A second signal stops the process at once.
  process.once('SIGTERM', () => process.exit(1)).once('SIGINT', () => process.exit(1))
  await program.landfall.close()
  process.exit(0)
}

/** @throws Error with a sentence for the operator when the port is not available. */
async function listening(landfall: Landfall): Promise<{ landfall: Landfall; url: string }> {
  try {
    return { landfall, url: await landfall.listen() }
  } catch (error) {
    await landfall.close()
    throw error
  }
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
