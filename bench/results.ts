import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'

/** The figures of one run of a workload against a server. */
const figuresSchema = z.object({
  /** The main figure of the workload, in its unit. */
  time: z.number(),
  /** Wall time of the measured part. */
  seconds: z.number(),
  /** CPU seconds of the server; for workloads of a fixed duration, per 10,000 responses. */
  cpu: z.number(),
  /** The same of the bench itself. */
  clientCpu: z.number(),
  /** Peak resident memory of the server in MiB. */
  peak: z.number(),
  /** 10⁶ bytes of payload per second. */
  megabytesPerSecond: z.number().optional(),
  requestsPerSecond: z.number().optional(),
  /** Bytes written to the disk per byte of payload. */
  writtenPerByte: z.number().optional(),
  /** Response time of /upload/complete in milliseconds. */
  completeMs: z.number().optional(),
  /** Resident memory in MiB at the end of the measured part. */
  resident: z.number().optional(),
  /** Seconds from SIGTERM to the exit of the server. */
  stopSeconds: z.number().optional(),
  /** Resident memory per open upload in KiB. */
  memoryPerUpload: z.number().optional(),
})

export type Figures = z.infer<typeof figuresSchema>

const metricSchema = figuresSchema.keyof()

export type Metric = z.infer<typeof metricSchema>

const whichSchema = z.object({ workload: z.string(), server: z.string(), round: z.number() })

const resultsSchema = z.object({
  /** ISO 8601, UTC. */
  startedAt: z.string(),
  rounds: z.number(),
  machine: z.object({
    system: z.string(),
    cpu: z.string(),
    cores: z.number(),
    memoryGiB: z.number(),
    node: z.string(),
  }),
  /** Of Landfall, if known. */
  commit: z.string().optional(),
  contestants: z.array(z.object({ name: z.string(), version: z.string(), settings: z.string() })),
  /** Peers that are not installed. */
  absent: z.array(z.object({ name: z.string() })),
  workloads: z.array(
    z.object({
      name: z.string(),
      unit: z.enum(['s', 'ms', 'µs']),
      /** For a workload that is a point of a curve. */
      point: z.object({ curve: z.enum(['size', 'concurrency']), at: z.number() }).optional(),
    }),
  ),
  runs: z.array(whichSchema.extend({ figures: figuresSchema })),
  failures: z.array(whichSchema.extend({ reason: z.string() })),
})

/** The results of one run of the bench. */
export type Results = z.infer<typeof resultsSchema>

export type WorkloadInfo = Results['workloads'][number]

export { metricSchema }

/** @throws Error when the file is unreadable or has no valid results. */
export async function readResults(file: string): Promise<Results> {
  const parsed = resultsSchema.safeParse(JSON.parse(await readFile(file, 'utf8')))
  if (!parsed.success) throw new Error(`${path.basename(file)} has no valid results: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/** Writes results with six significant digits. */
export async function writeResults(file: string, results: Results): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true })
  const short = (_: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value
  await writeFile(file, `${JSON.stringify(results, short, 2)}\n`)
}
