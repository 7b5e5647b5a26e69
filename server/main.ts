#!/usr/bin/env node
import { setTimeout as sleep } from 'node:timers/promises'
import type { Program } from './library/open-landfall.ts'
import { openProgram } from './program.ts'
import { readSettings, type SettingTexts } from './read-settings.ts'

type Command = (
  environment: SettingTexts,
  args: readonly string[],
  print: (line: string) => void,
) => Promise<number | undefined> | Promise<void>

/** The subcommands. Each is loaded only when it is called. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  cancel: async () => (await import('./cli/acts.ts')).cancel,
  check: async () => (await import('./cli/check.ts')).check,
  dialect: async () => (await import('./cli/dialect-command.ts')).dialect,
  doctor: async () => (await import('./doctor.ts')).doctor,
  expire: async () => (await import('./cli/expire.ts')).expire,
  extend: async () => (await import('./cli/acts.ts')).extend,
  finish: async () => (await import('./cli/acts.ts')).finish,
  hooks: async () => (await import('./cli/hooks.ts')).hooks,
  import: async () => (await import('./import-command.ts')).importCommand,
  interrupt: async () => (await import('./cli/acts.ts')).interrupt,
  ls: async () => (await import('./cli/ls.ts')).ls,
  move: async () => (await import('./move/move-command.ts')).move,
  release: async () => (await import('./cli/acts.ts')).release,
  rm: async () => (await import('./cli/acts.ts')).rm,
  show: async () => (await import('./cli/show.ts')).show,
  stats: async () => (await import('./cli/stats-command.ts')).statsCommand,
  token: async () => (await import('./token.ts')).token,
  version: async () => (await import('./cli/version-command.ts')).version,
  watch: async () => (await import('./cli/watch.ts')).watch,
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
  // Without a subcommand, the program is the service.
  const command = readSettings(process.env, process.argv.slice(name === 'serve' ? 3 : 2))
  if (command.kind !== 'run') {
    process.stdout.write(command.text)
    return
  }
  // logrotate sends it. The audit log is opened for each line, so nothing has to be reopened.
  process.on('SIGHUP', () => undefined)
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
  program.landfall.leave()
  await sleep(command.settings.SHUTDOWN_DELAY * 1000)
  await program.landfall.close()
  process.exit(0)
}

/** @throws Error with a sentence for the operator when the port is not available. */
async function listening(landfall: Program): Promise<{ landfall: Program; url: string }> {
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
