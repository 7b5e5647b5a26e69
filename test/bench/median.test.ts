import { expect, it } from '@jest/globals'
import { median } from '../../bench/median.ts'

it('The median is the middle value, whatever the order', () => {
  expect(median([9, 1, 5])).toBe(5)
})

it('The median of an even number of values lies between the two in the middle', () => {
  expect(median([4, 1, 2, 100])).toBe(3)
})

it('An empty list has no median', () => {
  expect(median([])).toBeNaN()
})
