import { spawnSync } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type TemporaryFolder, temporaryFolder } from './support/folder.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The elements that make a browser send a request by themselves, with the URL. */
const LOADED = /<(?:script|link|img|iframe|source|video|audio)\b[^>]*?\b(?:src|href)="([^"]+)"/g

let folder: TemporaryFolder
let files: ReadonlySet<string>
let pages: ReadonlyMap<string, string>
beforeAll(async () => {
  folder = await temporaryFolder()
  const { status, stderr } = spawnSync('npx', ['vitepress', 'build', 'docs', '--outDir', folder.path], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  files = new Set(await readdir(folder.path, { recursive: true }))
  const names = [...files].filter((file) => file.endsWith('.html') && file !== '404.html')
  pages = new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(path.join(folder.path, name), 'utf8')] as const)),
  )
}, 300_000)
afterAll(() => folder?.dispose())

/** Where a link of a page leads: a file of the site, and the anchor in it. */
function target(link: string, page: string): { file: string; anchor: string } {
  const { pathname, hash } = new URL(link, `http://site/${page}`)
  const file = decodeURIComponent(pathname.slice(1))
  const named = file === '' || file.endsWith('/') ? `${file}index.html` : file
  return { file: files.has(`${named}.html`) ? `${named}.html` : named, anchor: decodeURIComponent(hash.slice(1)) }
}

function isExternal(link: string): boolean {
  return /^(?:[a-z]+:|\/\/)/.test(link)
}

describe('The site of the documentation', () => {
  it('has no link or anchor that leads nowhere', () => {
    const links = [...pages].flatMap(([page, html]) =>
      [...html.matchAll(/<a\b[^>]*?\bhref="([^"]+)"/g)].map(([, link = '']) => ({ page, link })),
    )
    const internal = links.filter(({ link }) => !isExternal(link))
    const broken = internal.filter(({ page, link }) => {
      const { file, anchor } = target(link, page)
      const isMissing = anchor !== '' && pages.get(file)?.includes(` id="${anchor}"`) !== true
      return !files.has(file) || isMissing
    })
    expect(internal.length).toBeGreaterThan(pages.size)
    expect([...new Set(broken.map(({ page, link }) => `${page}: ${link}`))]).toEqual([])
  })

  it('makes browsers send no request to another host', async () => {
    const styles = await Promise.all(
      [...files].filter((file) => file.endsWith('.css')).map((file) => readFile(path.join(folder.path, file), 'utf8')),
    )
    const loaded = [
      ...[...pages.values()].flatMap((html) => [...html.matchAll(LOADED)].map(([, url = '']) => url)),
      ...styles.flatMap((css) => [...css.matchAll(/url\(["']?([^"')]+)/g)].map(([, url = '']) => url)),
    ]
    expect(loaded.length).toBeGreaterThan(pages.size)
    expect(loaded.filter((url) => isExternal(url) && !url.startsWith('data:'))).toEqual([])
  })

  it('leads to every page but single decisions from the navigation', async () => {
    const home = pages.get('index.html') ?? ''
    const [, sidebar = ''] = /<aside class="VPSidebar"([\s\S]*?)<\/aside>/.exec(home) ?? []
    const named = [...sidebar.matchAll(/href="([^"]+)"/g)].map(([, link = '']) => target(link, 'index.html').file)
    const expected = [...pages.keys()].filter((page) => !/^decisions\/(?!index)/.test(page))
    expect(new Set(named)).toEqual(new Set(expected))
  })

  it('has a search index and a dark theme of its own', async () => {
    expect([...files].some((file) => /localSearchIndex/.test(file))).toBe(true)
    expect(pages.get('index.html')).toContain('VPSwitchAppearance')
  })
})
