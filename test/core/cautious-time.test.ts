import { expect, it } from '@jest/globals'
import { cautiousTime } from '../../server/core/cautious-time.ts'

const WEEK = 604_800_000

it('The cautious time follows the clock, also backwards, but does not jump forward', () => {
  let clock = 1000
  let elapsed = 50
  const now = cautiousTime(
    () => clock,
    () => elapsed,
  )
  const pass = (ms: number): void => {
    clock += ms
    elapsed += ms
  }
  expect(now()).toBe(1000)
  pass(500)
  expect(now()).toBe(1500)
  clock += WEEK
  expect(now()).toBe(1500)
  pass(20)
  expect(now()).toBe(1520)
  clock -= WEEK + 300
  expect(now()).toBe(1220)
})

it('The cautious time is the time of the OS', () => {
  const now = cautiousTime()
  expect(Math.abs(now() - Date.now())).toBeLessThan(1000)
})
