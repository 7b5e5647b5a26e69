// `node scripts/audit.mjs`: asks the registry for known vulnerabilities of the packages that the service runs. Exits
// with 1 if there are some, and with 2 if the registry did not answer: then nothing is known.
import { spawnSync } from 'node:child_process'

const { stdout, error } = spawnSync('npm', ['audit', '--omit=dev', '--omit=optional', '--json'], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'ignore'],
  timeout: 120_000,
})
const report = parse(stdout)
// npm exits with 1 in both cases; only an answer has numbers.
const total = report?.metadata?.vulnerabilities?.total
if (error !== undefined || total === undefined) {
  console.error(`Not audited: the registry did not answer (${report?.message ?? error?.message ?? 'no report'}).`)
  process.exit(2)
}
if (total > 0) {
  for (const { name, severity, via } of Object.values(report.vulnerabilities)) {
    const causes = via.map((cause) => {
      return typeof cause === 'string' ? `by ${cause}` : `${cause.title} (${cause.range}) ${cause.url}`
    })
    console.error(`${severity}: ${name}: ${causes.join('; ')}`)
  }
  process.exit(1)
}
console.log('Audited: the registry knows no vulnerabilities of the packages that the service runs.')

function parse(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
