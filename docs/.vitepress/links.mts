import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MarkdownOptions } from 'vitepress'
import { PROJECT_PAGES } from './navigation.mts'

type Markdown = Parameters<NonNullable<MarkdownOptions['config']>>[0]

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DOCS = path.join(ROOT, 'docs')
const linkedFiles = new Set<string>()

/** The anchor of a heading as code hosts make it, so a link works there and on the site. */
export function slugOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}

/** The pages are Markdown with comments, and no HTML: `<id>` outside of code is text. */
export function withoutHtml(markdown: Markdown): void {
  for (const kind of ['html_inline', 'html_block']) {
    markdown.renderer.rules[kind] = (tokens, index) => {
      const text = tokens[index]?.content ?? ''
      return text.startsWith('<!--') ? '' : markdown.utils.escapeHtml(text)
    }
  }
}

/** Turns links between files of the repository into links of the site. A directory of code is only named there. */
export function withLinksOfTheSite(markdown: Markdown): void {
  const render = markdown.renderer.rules['link_open']
  markdown.renderer.rules['link_open'] = (tokens, index, options, env, self) => {
    const token = tokens[index]
    const href = token?.attrGet('href')
    const from: unknown = env['realPath'] ?? env['path']
    if (token === undefined || typeof href !== 'string' || typeof from !== 'string') {
      throw new Error('A link has no target, or its page has no path.')
    }
    const target = onTheSite(href, from)
    const end = tokens.slice(index).find(({ type }) => type === 'link_close')
    if (target === undefined && end !== undefined) {
      end.tag = 'span'
      return '<span>'
    }
    token.attrSet('href', target ?? href)
    return render?.(tokens, index, options, env, self) ?? self.renderToken(tokens, index, options)
  }
}

/** @param from the file with the link. */
function onTheSite(href: string, from: string): string | undefined {
  if (/^([a-z]+:|\/|#)/.test(href)) return href
  const [target = '', anchor] = href.split('#')
  const file = path.resolve(path.dirname(from), decodeURI(target))
  const suffix = anchor === undefined ? '' : `#${anchor}`
  const page = Object.entries(PROJECT_PAGES).find(([, document]) => path.join(ROOT, document) === file)?.[0]
  if (page !== undefined) return `/${page}${suffix}`
  if (!existsSync(file)) return href
  const inDocs = path.relative(DOCS, file)
  const isPage = !inDocs.startsWith('..')
  if (statSync(file).isDirectory()) return isPage ? `/${inDocs}/${suffix}` : undefined
  if (isPage) return `/${inDocs.replace(/README\.md$/, '')}${suffix}`
  const inRoot = path.relative(ROOT, file)
  if (inRoot === 'README.md') return '/'
  linkedFiles.add(inRoot)
  return `/source/${inRoot}.txt`
}

/** Files of the repository that pages link to come with the site, below `source`, as texts that browsers show. */
export function copyLinkedFiles(outDir: string): void {
  for (const file of linkedFiles) {
    const copy = path.join(outDir, 'source', `${file}.txt`)
    mkdirSync(path.dirname(copy), { recursive: true })
    copyFileSync(path.join(ROOT, file), copy)
  }
}
