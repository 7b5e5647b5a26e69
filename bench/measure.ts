import { outputOf } from './programs.ts'
import type { Figures } from './results.ts'
import type { ServerProcess } from './server-process.ts'

/**
 * What a piece of work takes: wall time, the CPU time of server and client, the server's peak memory.
 *
 * @param bytes the payload that is moved; 0 where there is none.
 */
export async function measure(server: ServerProcess, bytes: number, work: () => Promise<unknown>): Promise<Figures> {
  // What was written before must not be on its way to the disk while the work is measured.
  await outputOf('sync', [])
  await server.forgetPeak()
  const idle = await server.usage()
  const client = process.cpuUsage()
  const before = performance.now()
  await work()
  const seconds = (performance.now() - before) / 1000
  const { user, system } = process.cpuUsage(client)
  const used = await server.usage()
  return {
    time: seconds,
    seconds,
    cpu: used.cpu - idle.cpu,
    clientCpu: (user + system) / 1e6,
    peak: used.peak,
    resident: used.resident,
    ...(bytes === 0
      ? {}
      : { megabytesPerSecond: bytes / 1e6 / seconds, writtenPerByte: (used.written - idle.written) / bytes }),
  }
}
