import { expect, it } from '@jest/globals'
import { renderOverview, renderTable } from '../../bench/table.ts'
import { resultsOf } from './results-of.ts'

it('Rows have the medians of all rounds, and their ratios to Landfall', () => {
  const table = renderTable(
    resultsOf({
      Landfall: [{ time: 0.9 }, { time: 0.5, cpu: 0.7 }, { time: 0.8 }],
      tusd: [{ time: 2 }, { time: 0.4 }, { time: 0.6, peak: 32 }],
    }),
  )
  expect(table).toBe(
    [
      '| workload | server | time | MB/s | CPU s | client CPU s | peak MiB | time ÷ Landfall | CPU ÷ Landfall | besides |',
      '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
      '| 1 GiB in one PATCH | Landfall | 0.80 s |  | 1.00 | 0.20 | 100 | 1.00 | 1.00 |  |',
      '|  | tusd | 0.60 s |  | 1.00 | 0.20 | 100 | 0.75 | 1.00 |  |',
      '',
    ].join('\n'),
  )
})

it('The overview has a column for each server, and leaves out Landfall’s other settings', () => {
  const overview = renderOverview(
    resultsOf({ Landfall: [{ time: 0.8 }], 'Landfall, SYNC=always': [{}], tusd: [{ time: 2 }], rustus: ['too big'] }),
  )
  expect(overview).toBe(
    [
      '|  | Landfall | tusd | rustus |',
      '| --- | --- | --- | --- |',
      '| 1 GiB in one PATCH | 0.80 s | 2.00 s | failed |',
      '| – its CPU time | 1.00 s | 1.00 s | failed |',
      '| – its peak memory | 100 MiB | 100 MiB | failed |',
      '',
    ].join('\n'),
  )
})

it('A server that failed in every round has a row that says so, and no figures', () => {
  const table = renderTable(resultsOf({ Landfall: [{}], rustus: ['read ECONNRESET'] }))
  expect(table).toContain('|  | rustus | failed |  |  |  |  |  |  | 1 of 1 runs failed |')
})

it('A server that failed in one round keeps the figures of the others', () => {
  const table = renderTable(resultsOf({ Landfall: [{}], rustus: [{ time: 3 }, 'read ECONNRESET', { time: 4 }] }))
  expect(table).toContain('|  | rustus | 3.50 s |  | 1.00 | 0.20 | 100 | 3.50 | 1.00 | 1 of 3 runs failed |')
})

it('Without Landfall there are no ratios', () => {
  expect(renderTable(resultsOf({ tusd: [{}] }))).toContain('| tusd | 1.00 s |  | 1.00 | 0.20 | 100 |  |  |  |')
})

it('Notes of a workload appear in its row', () => {
  const table = renderTable(resultsOf({ Landfall: [{ requestsPerSecond: 812.4, completeMs: 3, memoryPerUpload: 59 }] }))
  expect(table).toContain('| 812 requests/s; complete in 3.00 ms; 59.0 KiB for each open upload |')
})
