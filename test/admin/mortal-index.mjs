// The built program, whose index loses its worker when it receives SIGUSR2.

import { syncBuiltinESMExports } from 'node:module'
import threads from 'node:worker_threads'

const { Worker } = threads
threads.Worker = class extends Worker {
  constructor(...args) {
    super(...args)
    process.once('SIGUSR2', () => this.terminate())
  }
}
syncBuiltinESMExports()

const { openProgram } = await import('../../dist/program/program.js')
const { readSettings } = await import('../../dist/program/read-settings.js')
const { settings } = readSettings(process.env, process.argv.slice(2))
const landfall = await openProgram(settings)
process.stdout.write(`Landfall listens on ${await landfall.listen()}\n`)
