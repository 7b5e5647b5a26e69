// `landfall import` with a stop: it kills itself at the STOP_COUNT-th occurrence of the step STOP_AT.
import { importCommand } from '../../dist/server/import-command.js'

let left = Number(process.env.STOP_COUNT)

function onStep(step) {
  if (step !== process.env.STOP_AT) return
  left -= 1
  if (left === 0) process.kill(process.pid, 'SIGKILL')
}

await importCommand(process.env, process.argv.slice(2), () => undefined, onStep)
