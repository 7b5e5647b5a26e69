import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { metricSchema, type Results } from './results.ts'
import { type Row, summarize } from './summary.ts'

/** A limit for Landfall. A name that ends in `*` is a prefix. */
const targetSchema = z.strictObject({
  workload: z.string(),
  /** Excluded workloads. */
  except: z.array(z.string()).default([]),
  metric: metricSchema,
  of: z.string(),
  /** The divisor; by default, the figure itself is compared. */
  against: z.strictObject({ server: z.string(), workload: z.string().optional() }).optional(),
  atMost: z.number(),
  /** A better value to aim for. */
  aim: z.number().optional(),
})

export type Target = z.infer<typeof targetSchema>

/** The result for a target. */
export interface Verdict {
  readonly outcome: 'met' | 'missed' | 'absent'
  /** One line for the report. */
  readonly sentence: string
}

/** @throws Error when the file is not a valid list of targets. */
export async function readTargets(file: string): Promise<readonly Target[]> {
  const parsed = z.array(targetSchema).safeParse(JSON.parse(await readFile(file, 'utf8')))
  if (!parsed.success) throw new Error(`The targets are wrong: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/** Compares medians with targets. If several rows match, the worst counts. */
export function judge(results: Results, targets: readonly Target[]): readonly Verdict[] {
  const rows = summarize(results)
  return targets.map((target) => verdictOn(target, rows))
}

function verdictOn(target: Target, rows: readonly Row[]): Verdict {
  const { metric, against, atMost, aim } = target
  const worst = rows
    .filter((row) => matchesRow(target, row))
    .flatMap((row) => {
      const value = figureOf(row, target, rows)
      return value === undefined ? [] : [{ row, value }]
    })
    .sort((a, b) => b.value - a.value)[0]
  const limits = `at most ${atMost}${aim === undefined ? '' : `, aim ${aim}`}`
  const elsewhere = against?.workload === undefined ? '' : ` in ${against.workload}`
  const beside = against === undefined ? '' : ` ÷ ${against.server}${elsewhere}`
  if (worst === undefined) {
    return { outcome: 'absent', sentence: `absent  ${target.workload}: ${metric} of ${target.of}${beside} (${limits})` }
  }
  const outcome = worst.value <= atMost ? 'met' : 'missed'
  const figure = `${metric} of ${worst.row.server}${beside} is ${Number(worst.value.toPrecision(3))}`
  return { outcome, sentence: `${outcome.padEnd(6)}  ${worst.row.workload.name}: ${figure} (${limits})` }
}

function matchesRow({ workload, except, of }: Target, row: Row): boolean {
  const { name } = row.workload
  return matches(workload, name) && !except.some((other) => matches(other, name)) && matches(of, row.server)
}

function figureOf(row: Row, { metric, against }: Target, rows: readonly Row[]): number | undefined {
  const value = row.median(metric)
  if (against === undefined || value === undefined) return value
  const workload = against.workload ?? row.workload.name
  const base = rows.find((other) => other.workload.name === workload && other.server === against.server)?.median(metric)
  return base === undefined ? undefined : value / base
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name
}
