// Polls the health of a service in its own thread until stopped; then reports the slowest response time in
// milliseconds, or the error.
import { setTimeout as pause } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'

let isOver = false
parentPort.once('message', () => {
  isOver = true
})
let slowest = 0
while (!isOver) {
  const asked = performance.now()
  const response = await fetch(`${workerData}/healthz`)
  if (response.status !== 200) throw new Error(`The service is unhealthy: ${response.status}`)
  await response.text()
  slowest = Math.max(slowest, performance.now() - asked)
  await pause(50)
}
parentPort.postMessage(slowest)
