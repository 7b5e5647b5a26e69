import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'

it('Every command in the documentation says how it is run, and every setting can be read', () => {
  const script = fileURLToPath(new URL('../scripts/test-docs.mjs', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(stdout).toMatch(/^\d+ lists of settings can be read; every block is marked\.\n$/)
  expect(status).toBe(0)
})
