import pino, { type Logger } from 'pino'
import type { Settings } from './settings.ts'

/** The log of a service, on standard error. */
export function logOf({ LOG_LEVEL }: Settings): Logger {
  return pino({ level: LOG_LEVEL }, pino.destination({ dest: 2, sync: true }))
}
