/** A path that run.mjs has prepared. @throws Error without it. */
export function required(variable: 'TUSD' | 'TUSD_EXAMPLES'): string {
  const value = process.env[variable]
  if (value === undefined || value === '') throw new Error(`Run these tests with npm run test:hooks-tusd.`)
  return value
}
