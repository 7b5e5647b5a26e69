// `npm run dev`: the service, compiled and restarted on each change, and the pages from Vite, which proxies to it.
import { spawn } from 'node:child_process'

const COMMANDS = [
  'tsc -p tsconfig.build.json --watch --preserveWatchOutput',
  'node --watch --watch-preserve-output dist/server/main.js',
  'vite client --clearScreen false',
]

// A restart interrupts uploads, which resume, instead of waiting for them.
const env = { DRAIN: '0', ...process.env }
const children = COMMANDS.map((command) =>
  spawn(command, { env, shell: true, detached: true, stdio: ['ignore', 'inherit', 'inherit'] }),
)

/** Ends each command with the processes that it started. */
function stop() {
  for (const { pid } of children) {
    try {
      process.kill(-pid, 'SIGTERM')
    } catch {
      // It has ended already.
    }
  }
}

for (const child of children) child.once('exit', stop)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, stop)
