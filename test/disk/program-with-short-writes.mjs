// The built program on a disk that writes only a part of each buffer, without an error: POSIX allows that for any
// write.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { promisify } from 'node:util'

/** The first bytes of some buffers, but not all of them. */
function beginningOf(buffers) {
  const whole = Buffer.concat(buffers)
  return [whole.subarray(0, Math.ceil(whole.length / 3))]
}

const file = await fs.promises.open(process.execPath, 'r')
const handle = Object.getPrototypeOf(file)
await file.close()
const { write, writev } = handle
handle.write = function (buffer, offset, length, position) {
  return write.call(this, buffer, offset, Math.ceil(length / 3), position)
}
handle.writev = function (buffers, position) {
  return writev.call(this, beginningOf(buffers), position)
}
const writevTo = promisify(fs.writev)
fs.writev[promisify.custom] = (descriptor, buffers, position) => writevTo(descriptor, beginningOf(buffers), position)
syncBuiltinESMExports()

await import('../../dist/program/main.js')
