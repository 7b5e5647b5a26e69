import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const DOCUMENT = fileURLToPath(new URL('../../docs/clients.md', import.meta.url))

/**
 * The heading and the columns of each test file: a case belongs to the first column whose pattern matches its title.
 */
const TABLES = [
  {
    file: 'tus.test.ts',
    heading: 'Clients of tus',
    columns: [
      ['0 and 100 kB', /^uploads \d+ bytes/],
      ['6 MB, each way', /^uploads (?!\d+ bytes)(?!.* over a connection)/],
      ['over connections that break', /over a connection that breaks/],
      ['stopped, resumed', /^resumes /],
      ['its upload was deleted', /^creates a new upload /],
    ],
  },
  {
    file: 'forms.test.ts',
    heading: "Clients of HTTP with WebUploader's form",
    columns: [
      ['whole files', /^sends files /],
      ['without a length', /unknown length/],
      ['chunks', /^sends chunks /],
      ['fields after the file', /^receives field_after_file /],
    ],
  },
]

/** Writes docs/clients.md from Jest's results. @throws Error when a case did not run, or matches no column. */
export function publish(results) {
  const files = JSON.parse(readFileSync(results, 'utf8')).testResults
  const sections = TABLES.map(({ file, heading, columns }) => {
    const cases = files.find(({ name }) => name.endsWith(`/${file}`))?.assertionResults ?? []
    const skipped = cases.filter(({ status }) => status !== 'passed' && status !== 'failed')
    if (cases.length === 0 || skipped.length > 0) throw new Error(`Not all of ${file} was run. Nothing was published.`)
    return [`## ${heading}`, '', ...tableOf(cases, columns), ...failuresOf(cases), ''].join('\n')
  })
  writeFileSync(DOCUMENT, [INTRODUCTION, ...sections].join('\n').trimEnd().concat('\n'))
}

function tableOf(cases, columns) {
  const clients = [...new Set(cases.map(clientOf))]
  const rows = clients.map((client) => {
    const counts = columns.map(() => ({ passed: 0, all: 0 }))
    for (const { title, status } of cases.filter((one) => clientOf(one) === client)) {
      const count = counts[columns.findIndex(([, pattern]) => pattern.test(title))]
      if (count === undefined) throw new Error(`"${title}" belongs to no column.`)
      count.all += 1
      if (status === 'passed') count.passed += 1
    }
    const cells = counts.map(({ passed, all }) => (all === 0 ? '' : `${passed}/${all}`))
    const [, name, version, way = ''] = /^(.+?) (\d[\d.]*)(.*)$/.exec(client)
    return `| ${[`${name}${way}`, version, ...cells].join(' | ')} |`
  })
  const names = ['client', 'version', ...columns.map(([name]) => name)]
  return [`| ${names.join(' | ')} |`, `|${' --- |'.repeat(names.length)}`, ...rows]
}

function failuresOf(cases) {
  const failed = cases.filter(({ status }) => status === 'failed')
  return failed.length === 0 ? [] : ['', 'Fails:', '', ...failed.map(({ fullName }) => `- ${fullName}`)]
}

function clientOf({ ancestorTitles }) {
  return ancestorTitles[0]
}

const INTRODUCTION = `# Third-party clients

Each client is installed by the package manager of its language and runs unmodified, in its own process, against the
built program: \`npm run test:interop\`. It needs curl, Chromium, Python, a JDK with Maven, Go, and Rust. With \`--
--publish\`, it writes this page.

In every case, the stored and the downloaded file must have the name and the SHA-256 of the original. A cell counts the
passed cases; an empty cell is a feature that the client lacks.

- A tus client uploads files with Chinese, spaces, and quotes in the name, and 6 MB in every way that it offers (chunks,
  parallel, deferred length, creation with upload, POST instead of PATCH, checksums). It resumes in a new process after
  a stop within a request, uploads over breaking connections, and creates a new upload when its own was deleted.
- An HTTP client sends whole files (also an empty one), chunks in order and with chunk 0 last, and, if it can, bodies
  without Content-Length. A form whose fields follow the file is refused with \`field_after_file\`.
`
