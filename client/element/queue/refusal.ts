import type { Text } from '../i18n/text.ts'
import type { Limits } from '../service/session-response.ts'
import { extensionIn } from './limits.ts'

/** Why the service would refuse a file, or null. `queued` are the bytes that other new files will need. */
export function refusalOf(file: File, { maxSize, types, quota, used }: Limits, queued: number): Text | null {
  if (maxSize !== undefined && file.size > maxSize) {
    return { key: 'problem.larger', values: { size: { bytes: maxSize } } }
  }
  if (types !== undefined && !types.some((type) => mayBe(file, type))) return { key: 'problem.type' }
  if (quota !== undefined && (used ?? 0) + queued + file.size > quota) return { key: 'problem.quota' }
  return null
}

/** Whether a file may be of a type. Only the server knows which extensions a media type has. */
function mayBe(file: File, type: string): boolean {
  if (type.endsWith('/*')) return file.type === '' || file.type.startsWith(type.slice(0, -1))
  return type.includes('/') || file.name.toLowerCase().endsWith(`.${extensionIn(type)}`)
}
