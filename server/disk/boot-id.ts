import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Identifies the current boot of the host. @throws Error on an unsupported OS. */
export function bootId(): string {
  if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  if (process.platform === 'darwin')
    return execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim()
  throw new Error(`Landfall runs on Linux and macOS, not on ${process.platform}.`)
}
