/** Variables of the service that its child processes receive. Others may be secrets. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR']

/**
 * The environment of a child process.
 *
 * @param facts further variables. A variable cannot hold a zero byte, so those are dropped.
 */
export function childEnvironment(facts: Readonly<Record<string, string>>): Record<string, string> {
  const passedOn = PASSED_ON.flatMap((key) => {
    const value = process.env[key]
    return value === undefined ? [] : [[key, value] as const]
  })
  const clean = Object.entries(facts).map(([key, value]) => [key, value.replaceAll('\0', '')] as const)
  return Object.fromEntries([...passedOn, ...clean])
}
