// Loaded before the program: with RECORD_TO, what it does to its data directory is recorded; with BOOT_ID, that is the
// name of the machine's current boot; SLOW_SYNC is a folder that is slow to sync.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import path from 'node:path'
import { record } from './recorder.mjs'

const { RECORD_TO: log, BOOT_ID: boot, SLOW_SYNC: slow, DATA_DIR: folder } = process.env

if (boot !== undefined) {
  const { readFileSync } = fs
  fs.readFileSync = (file, ...more) =>
    file === '/proc/sys/kernel/random/boot_id' ? `${boot}\n` : readFileSync(file, ...more)
  syncBuiltinESMExports()
}
// The folder that it is in, too: whether it is there at all depends on that one.
if (log !== undefined) await record(log, path.dirname(folder), slow)
