import { parseArgs } from 'node:util'
import { withAccess } from './disk/access.ts'
import { examine, type Finding } from './disk/examine.ts'
import { Layout } from './disk/layout.ts'
import { takeOwnership } from './disk/owner.ts'
import { parseDataDir } from './settings.ts'

export const DOCTOR_HELP = `landfall doctor [--data-dir DIR] [--repair]

Checks the data directory of a stopped service and lists the problems that it finds.
With --repair, it fixes what it can; without (or with --dry-run), it changes nothing.
It never deletes uploaded bytes: it moves orphans to DATA_DIR/quarantine.
Exits with 0 if no problem is left, else with 1.
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
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) {
    print(DOCTOR_HELP.trimEnd())
    return 0
  }
  const layout = new Layout(parseDataDir(values['data-dir'] ?? environment['DATA_DIR']))
  const repairs = values.repair === true && values['dry-run'] !== true
  return withAccess(layout, async () => {
    const owner = await takeOwnership(layout)
    try {
      const findings = await examine(layout)
      let left = 0
      for (const finding of findings) left += (await treat(finding, repairs, print)) ? 0 : 1
      print(summary(findings.length, left))
      return left === 0 ? 0 : 1
    } finally {
      await owner.release()
    }
  })
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

function summary(found: number, left: number): string {
  if (found === 0) return 'No problems found.'
  return `Found: ${found}. Repaired: ${found - left}. Left: ${left}.`
}
