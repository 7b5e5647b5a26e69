/** The attributes of the element, which a change applies at once; `endpoint` applies to an empty list. */
export const ATTRIBUTES = [
  'accept',
  'checksum',
  'chunk-size',
  'directory',
  'disabled',
  'endpoint',
  'locale',
  'manual',
  'max-files',
  'max-size',
  'metadata',
  'multiple',
  'name',
  'no-drop',
  'no-list',
  'page',
  'parallel',
  'protocol',
  'required',
  'resume',
] as const

/** A positive integer in an attribute, or another value. */
export function integerIn(target: Element, name: string, otherwise: number): number {
  const value = Number(target.getAttribute(name) ?? '')
  return Number.isSafeInteger(value) && value > 0 ? value : otherwise
}

/** An attribute with a JSON object of texts; empty if it is anything else. */
export function textsIn(json: string | null): Readonly<Record<string, string>> {
  if (json === null) return {}
  try {
    const parsed: unknown = JSON.parse(json)
    if (typeof parsed !== 'object' || parsed === null) return {}
    return Object.fromEntries(Object.entries(parsed).map(([key, value]) => [key, String(value)]))
  } catch {
    return {}
  }
}
