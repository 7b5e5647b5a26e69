import os from 'node:os'
import { PROJECT } from './contestants.ts'
import { outputOf } from './programs.ts'
import type { Results } from './results.ts'
import { GIB } from './sizes.ts'

/** The properties of the host that results depend on, without its name. */
export function describeMachine(): Results['machine'] {
  return {
    system: `${os.type()} ${os.release()}`,
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / GIB),
    node: process.versions.node,
  }
}

/** The measured commit; undefined outside a repository. */
export function currentCommit(): Promise<string | undefined> {
  return outputOf('git', ['rev-parse', '--short=12', 'HEAD'], PROJECT)
}
