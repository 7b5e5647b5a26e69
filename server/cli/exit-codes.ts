/** The exit codes of commands that use the admin API. */
export const EXIT = {
  done: 0,
  /** The service refused, or the work failed. */
  failed: 1,
  /** Wrong arguments or settings. */
  usage: 2,
  /** There is no such upload or dead letter. */
  missing: 3,
  /** The service cannot be reached, or cannot answer for now. */
  unavailable: 4,
} as const

/** An error of a command, with a sentence for the operator. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number

  constructor(message: string, exitCode: number) {
    super(message)
    this.exitCode = exitCode
  }
}

/** @returns the error of wrong arguments. */
export function usage(message: string): CliError {
  return new CliError(message, EXIT.usage)
}
