import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const DOCUMENT = fileURLToPath(new URL('../../docs/clients.md', import.meta.url))

/** Writes docs/clients.md from Jest's results of a whole run. */
export function publish(results) {
  const cases = JSON.parse(readFileSync(results, 'utf8')).testResults.flatMap(
    ({ assertionResults }) => assertionResults,
  )
  const clients = [...new Set(cases.map(({ ancestorTitles }) => ancestorTitles[0]))]
  const rows = clients.map((client) => {
    const own = cases.filter(({ ancestorTitles }) => ancestorTitles[0] === client)
    const passed = own.filter(({ status }) => status === 'passed')
    const failed = own.filter(({ status }) => status !== 'passed').map(({ title }) => title)
    return `| ${client} | ${passed.length}/${own.length} | ${failed.join('; ')} |`
  })
  writeFileSync(DOCUMENT, `${INTRODUCTION}\n| client | passes | fails |\n| --- | --- | --- |\n${rows.join('\n')}\n`)
}

const INTRODUCTION = `# Third-party clients

Each client is installed by the package manager of its language and runs unmodified, as a process of its own, against the built
program: \`npm run test:interop\`. It needs curl, Chromium, Python, a JDK with Maven, Go, and Rust.

- A tus client uploads files of 0 and 100,000 bytes under a name with Chinese, spaces, and quotes, and of 6 MB in every way that
  it offers (chunks, parallel, deferred length, first bytes with the creation, POST in place of PATCH, checksums). It is stopped within
  a request and resumes in a new process; it uploads over connections that break; it creates a new upload when its own was deleted.
- An HTTP client sends WebUploader's form: whole files (also an empty one), chunks in order and with chunk 0 last, and, where it can, bodies without
  Content-Length. A form whose fields follow the file is refused with \`field_after_file\`.

Each time the stored and the downloaded file have the SHA-256 and the name of the file that was sent.
`
