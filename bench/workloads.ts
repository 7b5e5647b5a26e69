import { setTimeout as wait } from 'node:timers/promises'
import { Connection } from './client/connection.ts'
import { checkDownload, checkRanges, download, downloadRanges } from './client/download.ts'
import { headLoad } from './client/head-load.ts'
import { createSlowUploads } from './client/slow-uploads.ts'
import { createWithUpload, leaveUnfinished, upload, uploadAtOnce, uploadSmall } from './client/tus.ts'
import { leaveManyUnfinished } from './client/unfinished.ts'
import { uploadByWebUploader } from './client/webuploader.ts'
import type { Ability, Contestant } from './contestants.ts'
import { measure } from './measure.ts'
import { median } from './median.ts'
import type { Figures, WorkloadInfo } from './results.ts'
import type { ServerProcess } from './server-process.ts'
import { GIB, KIB, MIB, nameOfSize } from './sizes.ts'
import { checkStored } from './stored.ts'

/** A task for servers, with its measurement. */
export interface Workload extends WorkloadInfo {
  /** The ability that a server needs. */
  readonly needs: Ability
  /** Fills the directory of the server before it starts. */
  fill?(folder: string, contestant: Contestant): Promise<void>
  /**
   * @param turn how often this workload has run on the same server, this time included.
   * @throws Error when the server does not complete it.
   */
  run(server: ServerProcess, contestant: Contestant, turn?: number): Promise<Figures>
}

/** The workloads of the table, in order. */
export const workloads: readonly Workload[] = [
  ...freshAndWarm(tus('1 GiB in one PATCH', 1, GIB, ({ port }) => upload(port, GIB, GIB))),
  tus('512 MiB in 5 MiB PATCHes', 1, 512 * MIB, ({ port }) => upload(port, 512 * MIB, 5 * MIB)),
  tus('8 × 64 MiB in parallel', 8, 64 * MIB, ({ port }) => uploadAtOnce(port, 8, 64 * MIB)),
  ...freshAndWarm(
    tus('8 × 64 MiB in 5 MiB PATCHes', 8, 64 * MIB, ({ port }) => uploadAtOnce(port, 8, 64 * MIB, 5 * MIB)),
  ),
  ...freshAndWarm(smallUploads()),
  ...freshAndWarm(heads()),
  webUploader('1 GiB by WebUploader, 20 MiB chunks, 1 thread', 20 * MIB, 1),
  ...freshAndWarm(webUploader('1 GiB by WebUploader, 5 MiB chunks, 3 threads', 5 * MIB, 3)),
  wholeDownload(),
  rangeDownloads(),
  slowUploads(),
  ...freshAndWarm({
    ...tus('256 × 4 MiB at once', 256, 4 * MIB, ({ port }) => uploadAtOnce(port, 256, 4 * MIB)),
    needs: 'crowd',
  }),
  manyUnfinished(),
  start(),
  startOnMany(),
]

/** Points of the curves: one upload of growing size, and a growing number of uploads of 4 MiB at once. */
export const curves: readonly Workload[] = [
  ...[MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB, GIB, 4 * GIB, 8 * GIB].map(
    (size): Workload => ({
      ...tus(`${nameOfSize(size)} in one PATCH`, 1, size, ({ port }) => upload(port, size, size)),
      needs: 'crowd',
      point: { curve: 'size', at: size / MIB },
    }),
  ),
  ...[1, 2, 4, 8, 16, 32, 64, 128, 256].map(
    (count): Workload => ({
      ...tus(`${count} × 4 MiB at once`, count, 4 * MIB, ({ port }) => uploadAtOnce(port, count, 4 * MIB)),
      needs: 'crowd',
      point: { curve: 'concurrency', at: count },
    }),
  ),
]

/**
 * A workload on a new process, and on one that has run it once. A new process spends about half of its time for small
 * requests on code that is not compiled yet.
 */
function freshAndWarm(workload: Workload): readonly Workload[] {
  const warm: Workload = {
    ...workload,
    name: `${workload.name}, warm`,
    run: async (server, contestant) => {
      await workload.run(server, contestant, 1)
      return workload.run(server, contestant, 2)
    },
  }
  return [workload, warm]
}

function tus(name: string, count: number, size: number, work: (server: ServerProcess) => Promise<unknown>): Workload {
  return {
    name,
    unit: 's',
    needs: 'tus',
    run: async (server, _, turn = 1) => {
      const figures = await measure(server, count * size, () => work(server))
      await checkStored(server.folder, count * turn, size)
      return figures
    },
  }
}

function smallUploads(): Workload {
  const count = 2000
  const workload = tus('2,000 × 64 KiB with their creation, 32 in parallel', count, 64 * KIB, ({ port }) =>
    uploadSmall(port, count, 64 * KIB, 32),
  )
  return {
    ...workload,
    run: async (server, contestant, turn) => {
      const figures = await workload.run(server, contestant, turn)
      return { ...figures, requestsPerSecond: count / figures.seconds }
    },
  }
}

function heads(): Workload {
  const seconds = 3
  const per = 10_000
  return {
    name: 'HEAD by 32 clients (CPU: for 10,000 answers)',
    unit: 'µs',
    needs: 'crowd',
    run: async (server) => {
      const path = await leaveUnfinished(server.port)
      let answers = 0
      const figures = await measure(server, 0, async () => {
        answers = (await headLoad(server.port, path, 32, seconds * 1000)).answers
      })
      return {
        ...figures,
        time: (figures.seconds / answers) * 1e6,
        cpu: (figures.cpu / answers) * per,
        clientCpu: (figures.clientCpu / answers) * per,
        requestsPerSecond: answers / figures.seconds,
      }
    },
  }
}

function webUploader(name: string, chunkSize: number, threads: number): Workload {
  return {
    name,
    unit: 's',
    needs: 'webuploader',
    run: async (server, _, turn = 1) => {
      let completeMs = 0
      const figures = await measure(server, GIB, async () => {
        completeMs = await uploadByWebUploader(server.port, GIB, chunkSize, threads, `wu_bench_${turn}`)
      })
      await checkStored(server.folder, turn, GIB)
      return { ...figures, completeMs }
    },
  }
}

function wholeDownload(): Workload {
  return {
    name: 'download of 1 GiB',
    unit: 's',
    needs: 'download',
    run: async (server, { place }) => {
      const path = await place(server, GIB)
      const figures = await measure(server, GIB, () => download(server.port, path, GIB))
      await checkDownload(server.port, path, GIB)
      return figures
    },
  }
}

function rangeDownloads(): Workload {
  const count = 1000
  return {
    name: '1,000 ranges of 1 MiB, 8 connections',
    unit: 's',
    needs: 'ranges',
    run: async (server, { place }) => {
      const path = await place(server, GIB)
      const figures = await measure(server, count * MIB, () => downloadRanges(server.port, path, GIB, count, 8))
      await checkRanges(server.port, path, GIB)
      return { ...figures, requestsPerSecond: count / figures.seconds }
    },
  }
}

/** Creates uploads with half of their bytes; then the server receives SIGTERM. */
function manyUnfinished(): Workload {
  const count = 20_000
  const sent = 1_000
  return {
    name: '20,000 unfinished creations, 32 in parallel',
    unit: 's',
    needs: 'unfinished',
    run: async (server) => {
      const figures = await measure(server, 0, () => leaveManyUnfinished(server.port, count, sent, 32))
      await checkStored(server.folder, count, sent)
      const stopSeconds = await server.terminate()
      return { ...figures, stopSeconds, requestsPerSecond: count / figures.seconds }
    },
  }
}

/** Compares memory before any upload sends data with memory while all of them do. */
function slowUploads(): Workload {
  const count = 500
  const held = 8000
  const probes = 10
  return {
    name: '500 slow uploads open; the time of one more of 64 KiB',
    unit: 'ms',
    needs: 'crowd',
    run: async (server) => {
      const uploads = await createSlowUploads(server.port, count)
      try {
        const before = (await server.usage()).resident
        let resident = before
        const latencies: number[] = []
        const figures = await measure(server, 0, async () => {
          await uploads.begin()
          await wait(held)
          resident = (await server.usage()).resident
          latencies.push(...(await timesOfSmallUploads(server.port, probes)))
          uploads.checkOpen()
        })
        return {
          ...figures,
          time: median(latencies),
          resident,
          memoryPerUpload: ((resident - before) * MIB) / KIB / count,
        }
      } finally {
        uploads.end()
      }
    },
  }
}

async function timesOfSmallUploads(port: number, count: number): Promise<readonly number[]> {
  const connection = new Connection(port)
  const times: number[] = []
  for (let at = 0; at < count; at++) {
    const before = performance.now()
    await createWithUpload(connection, 64 * KIB)
    times.push(performance.now() - before)
  }
  connection.close()
  return times
}

function start(): Workload {
  return {
    name: 'start until the first answer',
    unit: 'ms',
    needs: 'start',
    run: async (server) => {
      const { cpu, peak, resident } = await server.usage()
      return { time: server.startSeconds * 1000, seconds: server.startSeconds, cpu, clientCpu: 0, peak, resident }
    },
  }
}

function startOnMany(): Workload {
  const count = 100_000
  return {
    ...start(),
    name: 'start until the first answer, on 100,000 unfinished uploads',
    needs: 'unfinished start',
    fill: (folder, contestant) => contestant.fill(folder, count),
  }
}
