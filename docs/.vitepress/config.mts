import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'
import { copyLinkedFiles, slugOf, withLinksOfTheSite, withoutHtml } from './links.mts'
import { navigation, pageNames } from './navigation.mts'

const DOCS = fileURLToPath(new URL('..', import.meta.url))

const ICON = readFileSync(path.join(DOCS, '../client/icon.svg'), 'utf8')

/** Settings and error codes are single words of the search. Runs in the browser, too: uses nothing from outside. */
function wordsOf(text: string): string[] {
  return text.split(/[^\p{L}\p{N}_]+/u)
}

export default defineConfig({
  title: 'Landfall',
  description: 'A resumable upload service for tus clients, the IETF draft, and legacy WebUploader pages.',
  lang: 'en',
  head: [['link', { rel: 'icon', href: `data:image/svg+xml,${encodeURIComponent(ICON)}` }]],
  outDir: path.join(DOCS, '../dist/site'),
  cacheDir: path.join(DOCS, '../node_modules/.cache/vitepress'),
  // Directories have a README.md, which a code host shows.
  rewrites: { ':directory(.*)README.md': ':directory(.*)index.md' },
  markdown: {
    anchor: { slugify: slugOf },
    config: (markdown) => {
      withoutHtml(markdown)
      withLinksOfTheSite(markdown)
    },
  },
  // `vitepress build` stops at the first page that is missing; test/docs-site.test.ts lists all of them, with anchors.
  ignoreDeadLinks: true,
  buildEnd: ({ outDir }) => copyLinkedFiles(outDir),
  themeConfig: {
    search: { provider: 'local', options: { miniSearch: { options: { tokenize: wordsOf } } } },
    outline: [2, 3],
    sidebar: navigation(pageNames(DOCS)),
    docFooter: { prev: false, next: false },
  },
})
