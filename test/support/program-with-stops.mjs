// The built program, with a stop: it kills itself at the STOP_COUNT-th occurrence of the step STOP_AT, or STOP_AFTER
// milliseconds after its start. With SLOW_DISK, its disk is slow.

import { openProgram } from '../../dist/program/program.js'
import { readSettings } from '../../dist/program/read-settings.js'
import { slowDown } from './slow-disk.mjs'

const { STOP_AT: stopAt, STOP_COUNT: stopCount = '1', STOP_AFTER: stopAfter } = process.env
let left = Number(stopCount)

function onStep(step) {
  if (step !== stopAt) return
  left -= 1
  if (left === 0) kill()
}

function kill() {
  process.kill(process.pid, 'SIGKILL')
}

if (stopAfter !== undefined) setTimeout(kill, Number(stopAfter))

if (process.env.SLOW_DISK === 'yes') await slowDown()
const { settings } = readSettings(process.env, process.argv.slice(2))
const landfall = await openProgram(settings, { onStep })
process.stdout.write(`Landfall listens on ${await landfall.listen()}\n`)
process.once('SIGTERM', async () => {
  await landfall.close()
  process.exit(0)
})
