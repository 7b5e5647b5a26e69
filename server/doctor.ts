import { parseArgs } from 'node:util'
import { withAccess } from './disk/access.ts'
import { assignOwner } from './disk/assign-owner.ts'
import { examine } from './disk/examine.ts'
import type { Finding } from './disk/finding.ts'
import { Layout } from './disk/layout.ts'
import { takeOwnership } from './disk/owner.ts'
import { ownerOf } from './keys.ts'
import { examineOutbox } from './outbox/examine-outbox.ts'
import { parseDataDir, parseSecret, settingsOfCommand } from './read-settings.ts'
import { secretsOf } from './secrets.ts'

export const DOCTOR_HELP = `landfall doctor [--data-dir DIR] [--repair]
landfall doctor [--data-dir DIR] --owner SUBJECT [--issuer ISSUER] [--secret-file FILE] [--dry-run]

Checks the data directory of a stopped service and lists the problems that it finds.
With --repair, it fixes what it can; without (or with --dry-run), it changes nothing.
It never deletes uploaded bytes: it moves orphans to DATA_DIR/quarantine.
Exits with 0 if no problem is left, else with 1. With --json, each line is a problem.

With STORE=s3, it tests the S3 service, which takes some seconds, and checks the uploads in the bucket, while services
run or not. With --repair, it deletes what no upload needs.

With --owner, it gives the uploads that have no owner to this subject, as tokens of ISSUER (JWT_ISSUER) name it: those
created without authentication, by an earlier version, or with another server. It needs the SECRET of the service.
`

/**
 * `landfall doctor`.
 *
 * @param print receives lines for the operator.
 * @returns the exit code.
 * @throws Error with a sentence for the operator when a flag is wrong, or when the data directory is not accessible or
 * in use.
 */
export async function doctor(
  environment: NodeJS.ProcessEnv,
  args: readonly string[],
  print: (line: string) => void,
): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'data-dir': { type: 'string' },
      repair: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      owner: { type: 'string' },
      issuer: { type: 'string' },
      'secret-file': { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) {
    print(DOCTOR_HELP.trimEnd())
    return 0
  }
  const layout = new Layout(parseDataDir(values['data-dir'] ?? environment['DATA_DIR']))
  const isDry = values['dry-run'] === true
  const repairs = values.repair === true && !isDry
  const isJson = values.json === true
  const { owner: subject, issuer = environment['JWT_ISSUER'] ?? '' } = values
  if (subject === '') throw new Error('--owner must name a subject.')
  if (environment['STORE'] === 's3') {
    if (subject !== undefined) throw new Error('--owner is for uploads in a data directory, not for STORE=s3.')
    const { examineSettings } = await import('./doctor-bucket.ts')
    const note = isJson ? () => undefined : print
    const settings = settingsOfCommand(environment, values['data-dir'])
    return treatAll(examineSettings(settings, note), { repairs, isJson }, print)
  }
  return withAccess(layout, async () => {
    const ownership = await takeOwnership(layout)
    try {
      if (subject !== undefined) {
        const SECRET = parseSecret(environment, values['secret-file'])
        const { keys } = await secretsOf({ SECRET, DATA_DIR: layout.root }, print)
        const count = await assignOwner(layout, ownerOf(keys, issuer, subject), !isDry)
        print(`Uploads without an owner: ${count}. ${isDry ? 'Unchanged.' : `They belong to ${subject} now.`}`)
        return 0
      }
      const findings = [...(await examine(layout)), ...(await examineOutbox(layout.root, layout.outbox))]
      return await treatAll(findings, { repairs, isJson }, print)
    } finally {
      await ownership.release()
    }
  })
}

/** Reports all findings, and repairs them if requested and possible. @returns the exit code. */
async function treatAll(
  findings: AsyncIterable<Finding> | Iterable<Finding>,
  { repairs, isJson }: { readonly repairs: boolean; readonly isJson: boolean },
  print: (line: string) => void,
): Promise<number> {
  let found = 0
  let left = 0
  for await (const finding of findings) {
    found += 1
    const isRepaired = await treat(finding, repairs, isJson ? () => undefined : print)
    if (!isRepaired) left += 1
    if (isJson) print(JSON.stringify({ ...plain(finding), isRepaired }))
  }
  if (!isJson) print(summary(found, left))
  return left === 0 ? 0 : 1
}

/** Reports a finding, and repairs it if requested and possible. @returns whether it is repaired. */
async function treat(
  { place, sentence, repair }: Finding,
  repairs: boolean,
  print: (line: string) => void,
): Promise<boolean> {
  const what = `${place}: ${sentence}`
  if (repair === undefined) print(`${what} Left unchanged.`)
  else if (!repairs) print(`${what} --repair would ${repair.sentence}.`)
  else {
    await repair.run()
    print(`${what} Done: ${repair.sentence}.`)
  }
  return repair !== undefined && repairs
}

/** A finding as JSON. */
function plain({ place, sentence, repair }: Finding): object {
  return { place, sentence, repair: repair?.sentence ?? null }
}

function summary(found: number, left: number): string {
  if (found === 0) return 'No problems found.'
  return `Found: ${found}. Repaired: ${found - left}. Left: ${left}.`
}
