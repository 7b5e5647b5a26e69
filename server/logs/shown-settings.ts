import { parseSettings } from '../read-settings.ts'
import { isSecret, type Settings } from '../settings.ts'

/** Settings whose URL may contain a secret anywhere. */
const SECRET_URLS: ReadonlySet<string> = new Set(['WEBHOOK_URLS', 'HOOKS_URL', 'SCAN_URL', 'AUTH_URL'])

const MASK = '***'

/** The settings that differ from their defaults, as a log may show them: without secrets, also those in URLs. */
export function shownSettings(settings: Settings): Readonly<Record<string, unknown>> {
  const defaults = new Map(Object.entries(shown(parseSettings({}))))
  const changed = Object.entries(shown(settings)).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults.get(name)),
  )
  return Object.fromEntries(changed)
}

function shown(settings: Settings): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, shownValue(name, value)]))
}

function shownValue(name: string, value: unknown): unknown {
  if (isSecret(name)) return value === '' ? '' : MASK
  // Its arguments may contain a secret.
  if (name === 'SCAN_CMD') return Array.isArray(value) && value.length > 1 ? `${value[0]} ${MASK}` : value
  if (value instanceof Set) return [...value].map((one) => shownValue(name, one))
  if (Array.isArray(value)) return value.map((one) => shownValue(name, one))
  if (value instanceof URL) return shownUrl(name, value)
  if (typeof value === 'string' && /^https?:\/\//i.test(value) && URL.canParse(value)) {
    return shownUrl(name, new URL(value))
  }
  // JSON has no infinity.
  return value === Number.POSITIVE_INFINITY ? 0 : value
}

function shownUrl(name: string, url: URL): string {
  const shown = new URL(url)
  if (shown.username !== '') shown.username = MASK
  if (shown.password !== '') shown.password = MASK
  if (shown.search !== '') shown.search = MASK
  if (SECRET_URLS.has(name) && shown.pathname !== '/') shown.pathname = `/${MASK}`
  return shown.href
}
