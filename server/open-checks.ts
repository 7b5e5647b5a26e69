import type { Logger } from 'pino'
import type { Checks, Gate } from './core/gate.ts'
import { ClamdGate } from './gate/clamd.ts'
import { CommandGate } from './gate/command.ts'
import { FileTypes } from './gate/file-types.ts'
import { Gates } from './gate/gates.ts'
import { HttpGate } from './gate/http.ts'
import type { Settings } from './settings.ts'

/** What files must pass before they become visible, by the settings. */
export function openChecks(settings: Settings, log: Logger): Checks {
  const { SCAN_CMD, SCAN_URL, SCAN_CLAMD, SCAN_TIMEOUT, SCAN_CONCURRENCY } = settings
  const gates: Gate[] = []
  if (SCAN_CMD !== undefined) gates.push(new CommandGate(SCAN_CMD))
  if (SCAN_CLAMD !== undefined) gates.push(new ClamdGate(SCAN_CLAMD))
  if (SCAN_URL !== undefined) gates.push(new HttpGate(SCAN_URL))
  const limits = { timeout: SCAN_TIMEOUT * 1000, concurrency: SCAN_CONCURRENCY }
  return {
    types: new FileTypes(settings.ALLOWED_TYPES),
    fingerprints: settings.INSTANT !== 'off',
    ...(gates.length > 0 && { gate: new Gates(gates, limits, log) }),
  }
}
