import { median } from './median.ts'
import type { Figures, Metric, Results, WorkloadInfo } from './results.ts'

/** The results of one server in one workload. */
export interface Row {
  readonly workload: WorkloadInfo
  readonly server: string
  /** The number of successful runs. */
  readonly runs: number
  readonly failures: number
  /** The median of the runs; undefined if no run has the metric. */
  median(metric: Metric): number | undefined
}

/** The rows of all workloads, each with its servers in order. */
export function summarize(results: Results): readonly Row[] {
  return results.workloads.flatMap((workload) =>
    results.contestants
      .map(({ name }) => rowOf(results, workload, name))
      .filter(({ runs, failures }) => runs + failures > 0),
  )
}

function rowOf(results: Results, workload: WorkloadInfo, server: string): Row {
  const isOfRow = (run: { workload: string; server: string }) => run.workload === workload.name && run.server === server
  const all: readonly Figures[] = results.runs.filter(isOfRow).map(({ figures }) => figures)
  return {
    workload,
    server,
    runs: all.length,
    failures: results.failures.filter(isOfRow).length,
    median: (metric) => {
      const values = all.map((figures) => figures[metric]).filter((value) => value !== undefined)
      return values.length === 0 ? undefined : median(values)
    },
  }
}
