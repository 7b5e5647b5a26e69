// Runs inside the program under load: writes the size of its heap, in MiB, to the file SOAK_PROBE every second.
import { renameSync, writeFileSync } from 'node:fs'
import { MIB } from '../sizes.ts'

const file = process.env['SOAK_PROBE']

function write(target: string): void {
  const { heapUsed, external } = process.memoryUsage()
  // The rename is atomic, so no reader sees a partial file.
  writeFileSync(`${target}.new`, JSON.stringify({ heap: heapUsed / MIB, buffers: external / MIB }))
  renameSync(`${target}.new`, target)
}

if (file !== undefined) {
  write(file)
  setInterval(write, 1000, file).unref()
}
