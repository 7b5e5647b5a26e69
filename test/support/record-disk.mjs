// Loaded before the program: with RECORD_TO, its operations on its data directory are recorded; BOOT_ID is the boot id
// of the host; SLOW_SYNC is a directory that is slow to sync.
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
// Its parent directory, too: its own existence depends on that one.
if (log !== undefined) await record(log, path.dirname(folder), slow)
