// @tus/server on LandfallStore, with a stop: it kills itself at the STOP_COUNT-th occurrence of the step STOP_AT.
import http from 'node:http'
import { Server } from '@tus/server'
import { LandfallStore } from '../../dist/server/tus-store/landfall-store.js'

const { STOP_AT, STOP_COUNT = '1', PORT, DATA_DIR } = process.env
let left = Number(STOP_COUNT)

function onStep(step) {
  if (step !== STOP_AT) return
  left -= 1
  if (left === 0) process.kill(process.pid, 'SIGKILL')
}

const datastore = new LandfallStore({ directory: DATA_DIR }, onStep)
const tus = new Server({ path: '/files', datastore, locker: datastore.locker, relativeLocation: true })
const server = http.createServer((request, response) => tus.handle(request, response))
server.listen(Number(PORT), '127.0.0.1', () => {
  process.stdout.write(`Listening on http://127.0.0.1:${server.address().port}\n`)
})
