import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

/** What axe finds in a page and its shadow trees: rules, with where they are broken. */
export async function findingsIn(page: Page): Promise<readonly string[]> {
  const isLoaded = await page.evaluate('"axe" in window')
  if (isLoaded !== true) {
    await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'))
  }
  return page.evaluate(
    'axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations.map(({ id, nodes }) => [id, ...nodes.map((node) => node.target.flat().join(" "))].join(" ")))',
  )
}
