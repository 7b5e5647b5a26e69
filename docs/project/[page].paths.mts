import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { PROJECT_PAGES } from '../.vitepress/navigation.mts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Pages of the site whose content is that of documents in the top directory. Their links start there. */
export default {
  watch: Object.values(PROJECT_PAGES).map((document) => path.join(ROOT, document)),
  paths: () =>
    Object.entries(PROJECT_PAGES).map(([page, document]) => ({
      params: { page: path.basename(page) },
      content: readFileSync(path.join(ROOT, document), 'utf8').replaceAll(/\]\((?![a-z]+:|#|\/)/g, '](../../'),
    })),
}
