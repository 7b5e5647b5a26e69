import os from 'node:os'
import { PROJECT } from './contestants.ts'
import { outputOf } from './programs.ts'
import type { Results } from './results.ts'
import { GIB } from './sizes.ts'

/** What the figures depend on, without anything that names the machine. */
export function describeMachine(): Results['machine'] {
  return {
    system: `${os.type()} ${os.release()}`,
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / GIB),
    node: process.versions.node,
  }
}

/** The commit that is measured; nothing outside a repository. */
export function currentCommit(): Promise<string | undefined> {
  return outputOf('git', ['rev-parse', '--short=12', 'HEAD'], PROJECT)
}
