import { parseArgs } from 'node:util'
import { examine, type Finding } from './disk/doctor.ts'
import { Layout } from './disk/layout.ts'
import { takeOwnership } from './disk/owner.ts'
import { withAccess } from './disk/refusal.ts'
import { parseDataDir } from './settings.ts'

export const DOCTOR_HELP = `landfall doctor [--data-dir DIR] [--repair]

Looks through a data folder that no service works on, and says what should not be as it is.
Without --repair nothing is changed (--dry-run). Nothing that holds somebody's bytes is ever deleted:
what belongs to nobody is moved to DATA_DIR/quarantine.
Ends with 0 when there is nothing to say, or all of it was repaired; otherwise with 1.
`

/**
 * `landfall doctor`.
 *
 * @param print takes a line for the operator.
 * @returns the exit code.
 * @throws Error with a sentence for the operator when a flag is wrong, or the folder cannot be used or belongs to a running process.
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
      for (const found of findings) left += (await treat(found, repairs, print)) ? 0 : 1
      print(summary(findings.length, left))
      return left === 0 ? 0 : 1
    } finally {
      await owner.release()
    }
  })
}

/** @returns whether it is put right now. */
async function treat({ place, sentence, repair }: Finding, repairs: boolean, print: (line: string) => void) {
  const what = `${place}: ${sentence}`
  if (repair === undefined) print(`${what} Left as it is.`)
  else if (!repairs) print(`${what} --repair would ${repair.sentence}.`)
  else {
    await repair.run()
    print(`${what} Done: ${repair.sentence}.`)
  }
  return repair !== undefined && repairs
}

function summary(found: number, left: number): string {
  if (found === 0) return 'Everything is as it should be.'
  return `Found: ${found}. Repaired: ${found - left}. Left: ${left}.`
}
