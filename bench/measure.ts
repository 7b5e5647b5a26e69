import { outputOf } from './programs.ts'
import type { Figures } from './results.ts'
import type { ServerProcess } from './server-process.ts'

/**
 * Measures some work: wall time, CPU time of server and client, peak memory of the server.
 *
 * @param bytes size of the payload; 0 without one.
 */
export async function measure(server: ServerProcess, bytes: number, work: () => Promise<unknown>): Promise<Figures> {
  // Earlier writes must not reach the disk during the measurement.
  await outputOf('sync', [])
  await server.resetPeak()
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
