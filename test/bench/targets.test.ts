import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'
import { judge, readTargets, type Target } from '../../bench/targets.ts'
import { workloads } from '../../bench/workloads.ts'
import { resultsOf } from './results-of.ts'

const besideTusd: Target = {
  workload: '1 GiB in one PATCH',
  except: [],
  metric: 'time',
  of: 'Landfall',
  against: { server: 'tusd' },
  atMost: 1.15,
  aim: 1,
}

const outcomeOf = (target: Target, runs: Parameters<typeof resultsOf>[0]) => judge(resultsOf(runs), [target])[0]

it('A target is met at its limit and missed beyond it', () => {
  expect(outcomeOf(besideTusd, { Landfall: [{ time: 2.3 }], tusd: [{ time: 2 }] })?.outcome).toBe('met')
  expect(outcomeOf(besideTusd, { Landfall: [{ time: 2.4 }], tusd: [{ time: 2 }] })).toEqual({
    outcome: 'missed',
    sentence: 'missed  1 GiB in one PATCH: time of Landfall ÷ tusd is 1.2 (at most 1.15, aim 1)',
  })
})

it('A target is absent if the peer is missing or failed each time', () => {
  expect(outcomeOf(besideTusd, { Landfall: [{}] })).toEqual({
    outcome: 'absent',
    sentence: 'absent  1 GiB in one PATCH: time of Landfall ÷ tusd (at most 1.15, aim 1)',
  })
  expect(outcomeOf(besideTusd, { Landfall: [{}], tusd: ['read ECONNRESET'] })?.outcome).toBe('absent')
})

it('A target without a peer bounds the figure itself, and the worst row that matches its names counts', () => {
  const { against: _, ...target } = {
    ...besideTusd,
    workload: '*',
    of: 'Landfall*',
    metric: 'peak' as const,
    atMost: 150,
  }
  const verdict = outcomeOf(target, { Landfall: [{ peak: 105 }], 'Landfall, SYNC=always': [{ peak: 160 }] })
  expect(verdict?.sentence).toBe(
    'missed  1 GiB in one PATCH: peak of Landfall, SYNC=always is 160 (at most 150, aim 1)',
  )
})

it('An excepted workload does not count', () => {
  const { against: _, ...target } = { ...besideTusd, workload: '*', except: ['1 GiB in one PATCH'] }
  expect(outcomeOf(target, { Landfall: [{ time: 9 }] })?.outcome).toBe('absent')
})

it('The targets of the project name workloads that exist', async () => {
  const targets = await readTargets(fileURLToPath(new URL('../../bench/targets.json', import.meta.url)))
  const names = new Set(['*', ...workloads.map(({ name }) => name)])
  const named = targets.flatMap(({ workload, except, against }) => [workload, ...except, against?.workload ?? '*'])
  expect(named.filter((name) => !names.has(name))).toEqual([])
})
