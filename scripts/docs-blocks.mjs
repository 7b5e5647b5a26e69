// Reads the code blocks of the documentation, and what the comment before each says about it.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** Languages in which a reader would copy a block into a shell; blocks in others need no comment. */
const OF_A_SHELL = new Set(['', 'sh', 'bash', 'shell', 'console'])

/**
 * The comments before blocks: `run` (commands that end), `run: service` (one that serves until the next), `run: docker`,
 * `file: NAME` (saved under that name first), `settings`, `shown: WHY` (never run), and `elsewhere: CHECK` (run by that check).
 * A comment that contains commands after `setup`, `setup: service`, or `setup: docker` prepares those of the page.
 */
const MARKERS = /^(run|run: service|run: docker|file: \S+|settings|shown: \S.*|elsewhere: \S.*)$/

/** Every page with commands, by its path in the repository. */
export function documentationPages(root) {
  const docs = readdirSync(path.join(root, 'docs'), { recursive: true })
    .filter((file) => file.endsWith('.md') && !file.startsWith('project/') && !file.startsWith('.vitepress/'))
    .map((file) => path.join('docs', file))
  return ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...docs.sort()]
}

/** @returns the marked blocks of a page in order, and a sentence for each that is not marked or marked wrongly. */
export function blocksOf(root, page) {
  const lines = readFileSync(path.join(root, page), 'utf8').split('\n')
  const blocks = []
  const faults = []
  let at = 0
  while (at < lines.length) {
    const [, indent = '', ticks = '', language = ''] = /^( *)(`{3,})([^`\s]*)[^`]*$/.exec(lines[at]) ?? []
    if (ticks !== '') {
      const end = lines.findIndex((line, index) => index > at && line.trim() === ticks)
      const text = textOf(lines.slice(at + 1, end), indent)
      const [, marker = ''] = /^\s*<!-- (.+?) -->\s*$/.exec(lines[at - 1] ?? '') ?? []
      if (MARKERS.test(marker)) {
        const [, kind, name] = /^(file|elsewhere|shown): (.+)$/.exec(marker) ?? [undefined, marker]
        blocks.push({ kind, name, text, line: at + 2 })
      } else if (OF_A_SHELL.has(language)) {
        faults.push(`${page}:${at + 1}: say in a comment before this block what it is: see scripts/docs-blocks.mjs.`)
      }
      at = end
    }
    const [, setup] = /^\s*<!-- setup(|: service|: docker)$/.exec(lines[at] ?? '') ?? []
    if (setup !== undefined) {
      const end = lines.findIndex((line, index) => index > at && line.trim() === '-->')
      blocks.push({ kind: `run${setup}`, isHidden: true, text: textOf(lines.slice(at + 1, end), ''), line: at + 2 })
      at = end
    }
    if (at === -1) return { blocks, faults: [...faults, `${page}: a block has no end.`] }
    at += 1
  }
  return { blocks, faults }
}

/** `NAME=value` of each line of a block, without comments. */
export function settingsIn(text) {
  const lines = text.split('\n').map((line) => line.replace(/(^|\s+)#.*$/, ''))
  return Object.fromEntries(
    lines
      .filter((line) => line.trim() !== '')
      .map((line) => {
        const equals = line.indexOf('=')
        return [line.slice(0, equals).trim(), line.slice(equals + 1)]
      }),
  )
}

function textOf(lines, indent) {
  return `${lines.map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line)).join('\n')}\n`
}
