import type { SyntaxNodeRef } from '@lezer/common'
import { parser } from '@prometheus-io/lezer-promql'
import type { Series } from '../support/metrics.ts'

/** Labels that Prometheus adds when it reads a target, and metrics of its own. */
const ADDED_LABELS: ReadonlySet<string> = new Set(['job', 'instance'])
const OWN_METRICS: ReadonlySet<string> = new Set(['up'])

/**
 * Compares an expression of PromQL with the series of a service.
 *
 * @returns a sentence for everything that is wrong with it.
 */
export function faultsOf(expression: string, series: readonly Series[]): readonly string[] {
  // Variables of Grafana.
  const query = expression.replaceAll('$__rate_interval', '5m').replaceAll('"$node"', '".*"')
  const faults: string[] = []
  const fault = (sentence: string): void => {
    faults.push(`${sentence} in ${expression}`)
  }
  const text = ({ from, to }: Pick<SyntaxNodeRef, 'from' | 'to'>): string => query.slice(from, to)
  const known = new Set(series.flatMap(({ labels }) => Object.keys(labels)))
  parser.parse(query).iterate({
    enter: (ref) => {
      if (ref.type.isError) fault(`A syntax error at ${ref.from}`)
      if (ref.name === 'VectorSelector') {
        const name = text(ref.node.getChild('Identifier') ?? ref)
        const own = series.filter((one) => one.name === name)
        if (own.length === 0 && !OWN_METRICS.has(name)) fault(`No series ${name}`)
        for (const matcher of ref.node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []) {
          const label = text(matcher.getChild('LabelName') ?? matcher)
          if (ADDED_LABELS.has(label)) continue
          const values = own.map(({ labels }) => labels[label]).filter((value) => value !== undefined)
          if (values.length === 0) fault(`No label ${label} of ${name}`)
          const isEqual = text(matcher.getChild('MatchOp') ?? matcher) === '='
          const value = text(matcher.getChild('StringLiteral') ?? matcher).slice(1, -1)
          if (isEqual && !values.includes(value)) fault(`No value ${value} of the label ${label} of ${name}`)
        }
      }
      if (ref.name === 'GroupingLabels') {
        for (const label of ref.node.getChildren('LabelName')) {
          if (!known.has(text(label))) fault(`No label ${text(label)}`)
        }
      }
    },
  })
  return faults
}
