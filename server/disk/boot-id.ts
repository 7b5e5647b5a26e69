import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A name of the machine's current boot. @throws Error where the system has none. */
export function bootId(): string {
  if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  if (process.platform === 'darwin')
    return execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim()
  throw new Error(`Landfall runs on Linux and macOS, not on ${process.platform}.`)
}
