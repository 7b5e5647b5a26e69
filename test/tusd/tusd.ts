import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { freePort } from '../support/free-port.ts'
import { until } from '../support/wire.ts'

/** A running tusd. */
export interface Tusd {
  /** `http://127.0.0.1:port` */
  readonly url: string
  readonly port: number
  kill(): Promise<void>
}

/** Starts tusd at a free port. @param flags further ones. */
export async function startTusd(uploads: string, flags: readonly string[] = []): Promise<Tusd> {
  const port = await freePort()
  const address = ['-host', '127.0.0.1', '-port', String(port)]
  const child = spawn(required('TUSD'), [...address, '-upload-dir', uploads, ...flags], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  await until(async () => fetch(url).then(Boolean, () => false))
  return {
    url,
    port,
    kill: async () => {
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    },
  }
}

/** A path that run.mjs has prepared. @throws Error without it. */
export function required(variable: 'TUSD' | 'TUSD_EXAMPLES'): string {
  const value = process.env[variable]
  if (value === undefined || value === '') throw new Error('Run these tests with npm run test:tusd.')
  return value
}
