/** The same uploads at tusd and at Landfall: what the receiver of the hooks gets, and what the client gets. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { ALLOWED, type Allowed, differencesOf, isAllowed } from './differences.ts'
import { SCENARIOS } from './scenarios.ts'
import { type Compared, comparedLandfall, comparedTusd } from './servers.ts'

let tusd: Compared
let landfall: Compared
const used = new Set<Allowed>()

beforeAll(async () => {
  tusd = await comparedTusd()
  landfall = await comparedLandfall()
})

afterAll(async () => {
  await tusd.close()
  await landfall.close()
})

describe('Landfall treats a receiver and a client like tusd does, apart from listed differences,', () => {
  it.each(SCENARIOS)('with $name', async (scenario) => {
    const differences = differencesOf(await tusd.outcomeOf(scenario), await landfall.outcomeOf(scenario))
    const unexpected = differences.filter((difference) => {
      const allowed = ALLOWED.filter((entry) => isAllowed(entry, scenario.name, difference))
      for (const entry of allowed) used.add(entry)
      return allowed.length === 0
    })
    expect(unexpected).toEqual([])
  })
})

describe('The list of differences', () => {
  it('has none that does not exist', () => {
    expect(ALLOWED.filter((entry) => !used.has(entry))).toEqual([])
  })
})
