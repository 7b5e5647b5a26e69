import type { UploadRecord } from '../core/record.ts'

/** Each field, and what it is for an upload. */
const FIELDS: Readonly<Record<string, (record: UploadRecord) => string>> = {
  id: ({ id }) => id,
  name: ({ fileName }) => fileName,
  folder: ({ folder = '' }) => folder,
  owner: ({ owner = 'anonymous' }) => owner,
}

/** The longest key of S3, in bytes of UTF-8. */
const LONGEST_KEY = 1024

/** What is wrong with the template of a key; the end of a sentence. */
export function keyTemplateProblem(template: string): string | undefined {
  const fields = [...template.matchAll(/\{([^{}]*)\}/g)].map(([, field = '']) => field)
  const unknown = fields.find((field) => !Object.hasOwn(FIELDS, field))
  if (unknown !== undefined)
    return `must have no other fields than {id}, {name}, {folder}, and {owner}, not {${unknown}}`
  // No two uploads may share a key.
  if (!fields.includes('id')) return 'must contain {id}'
  const rest = template.replace(/\{[^{}]*\}/g, '')
  if (!/^[A-Za-z0-9!_.*'()/-]*$/.test(rest)) return "must consist of letters, digits, !_.*'()-, slashes, and fields"
  return rest.length > 200 || template.startsWith('/') ? 'must be shorter, and not begin with a slash' : undefined
}

/** What the keys of all files begin with. */
export function startOfKeys(template: string): string {
  const [start = ''] = template.split('{')
  return start
}

/** The key of a finished file. A name that would make it too long becomes `file`. */
export function keyByTemplate(template: string, record: UploadRecord): string {
  const key = filled(template, record)
  return Buffer.byteLength(key) <= LONGEST_KEY ? key : filled(template, { ...record, fileName: 'file' })
}

function filled(template: string, record: UploadRecord): string {
  const key = template.replace(/\{([^{}]*)\}/g, (_, field: string) => FIELDS[field]?.(record) ?? '')
  // A field without a value leaves no empty segment.
  return key.replace(/\/{2,}/g, '/').replace(/^\//, '')
}
