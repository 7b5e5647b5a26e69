#!/usr/bin/env node
import { spawn } from 'node:child_process'
import path from 'node:path'

/** As in `npm start`: a small young generation keeps garbage collection cheap. */
const V8_FLAGS = ['--max-semi-space-size=8', '--min-semi-space-size=4', '--initial-old-space-size=64']
/** As in `npm start`: malloc keeps the memory of a request body for the next one, instead of returning it to the OS. */
const MALLOC = { MALLOC_TRIM_THRESHOLD_: '33554432', MALLOC_TOP_PAD_: '1048576' }
/** Signals that the service handles, or that end it. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const

/**
 * The program of the package. V8 and malloc read their settings when a process begins, and the first line of a script
 * cannot pass any, so the service is executed once more. Whoever starts `main.js` with flags of their own, as
 * `npm start` and the image do, needs no launcher.
 */
async function launch(): Promise<void> {
  const [first = '--'] = process.argv.slice(2)
  // Other commands are too short to gain from it.
  if (!first.startsWith('-') && first !== 'serve') {
    await import('./main.ts')
    return
  }
  const given = `${process.env['NODE_OPTIONS'] ?? ''} ${process.execArgv.join(' ')}`.replaceAll('_', '-')
  const flags = V8_FLAGS.filter((flag) => !given.includes(flag.slice(0, flag.indexOf('='))))
  const main = path.join(import.meta.dirname, 'main.js')
  const args = [...process.execArgv, ...flags, main, ...process.argv.slice(2)]
  const environment = { ...MALLOC, ...process.env }
  // From Node 22.15 on, the same process: signals, exit code, and process id need no care.
  if ('execve' in process && typeof process.execve === 'function') {
    process.execve(process.execPath, [process.execPath, ...args], environment)
  }
  runBelow(args, environment)
}

/** Runs Node in a child process that receives the signals of this one, and ends as it ends. */
function runBelow(args: readonly string[], environment: NodeJS.ProcessEnv): void {
  // In a group of its own: Ctrl-C would reach it twice, directly and from here, and a second signal stops at once.
  const child = spawn(process.execPath, args, { env: environment, stdio: 'inherit', detached: true })
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    for (const each of SIGNALS) process.removeAllListeners(each)
    process.kill(process.pid, signal)
  })
}

await launch()
