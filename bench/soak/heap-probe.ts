// Loaded into the program under load: writes what its heap holds, in MiB, into the file SOAK_PROBE every second.
import { renameSync, writeFileSync } from 'node:fs'
import { MIB } from '../sizes.ts'

const file = process.env['SOAK_PROBE']

function write(target: string): void {
  const { heapUsed, external } = process.memoryUsage()
  // Renamed, so that nobody reads half of it.
  writeFileSync(`${target}.new`, JSON.stringify({ heap: heapUsed / MIB, buffers: external / MIB }))
  renameSync(`${target}.new`, target)
}

if (file !== undefined) {
  write(file)
  setInterval(write, 1000, file).unref()
}
