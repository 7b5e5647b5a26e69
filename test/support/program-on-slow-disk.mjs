// The built program on a disk that writes BYTES_PER_SECOND in total, and stalls after STANDS_AFTER bytes.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'

const bytesPerSecond = Number(process.env.BYTES_PER_SECOND)
let left = Number(process.env.STANDS_AFTER ?? 'Infinity')
/** When the disk will have written everything, in milliseconds. */
let idleAt = 0

async function written(bytes) {
  left -= bytes
  if (left < 0) await new Promise(() => undefined)
  idleAt = Math.max(idleAt, performance.now()) + (bytes / bytesPerSecond) * 1000
  await pause(idleAt - performance.now())
}

const sizeOf = (data) => (Array.isArray(data) ? data.reduce((sum, bytes) => sum + bytes.length, 0) : data.length)

const file = await fs.promises.open(process.execPath, 'r')
const handle = Object.getPrototypeOf(file)
await file.close()
for (const name of ['write', 'writev', 'writeFile']) {
  const fast = handle[name]
  handle[name] = async function (data, ...more) {
    await written(sizeOf(data))
    return fast.call(this, data, ...more)
  }
}
const writev = promisify(fs.writev)
fs.writev[promisify.custom] = async (descriptor, buffers, position) => {
  await written(sizeOf(buffers))
  return writev(descriptor, buffers, position)
}
syncBuiltinESMExports()

await import('../../dist/program/main.js')
