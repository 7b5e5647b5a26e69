import { expect, it } from '@jest/globals'
import { Activity } from '../../server/core/activity.ts'

it('An account is alone until another one is active, and again two seconds later', () => {
  let now = 0
  const activity = new Activity(() => now)
  activity.note('a')
  expect(activity.isShared('a')).toBe(false)
  expect(activity.isShared('b')).toBe(true)
  activity.note('b')
  expect(activity.isShared('a')).toBe(true)
  now = 1_500
  for (let count = 0; count < 100; count++) activity.note('a')
  expect(activity.isShared('a')).toBe(true)
  now = 2_100
  activity.note('a')
  expect(activity.isShared('a')).toBe(false)
  expect(activity.isShared('b')).toBe(true)
})
