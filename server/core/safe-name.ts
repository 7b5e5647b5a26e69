/** The longest name that common file systems take, in bytes. */
const LONGEST_NAME = 255
const FALLBACK = 'file'
/** Tried only where such characters begin: a name may have thousands of them in its middle, and is made safe for each download. */
const TAIL = /(?<![\s.])[\s.]+$/

/**
 * A name for the finished file that is safe as the last part of a path: the last segment of what the client said, without
 * control characters, marks that change the direction of text, and halves of characters, never `.` or `..`, at most 255 bytes of
 * UTF-8 with its extension kept. A dot in front stays, also that of `.htaccess`: each file lies alone in a folder of its own, from
 * which nothing is ever run.
 */
export function safeName(name: string | null | undefined): string {
  const segment = (name ?? '').split(/[/\\]/).findLast((part) => part !== '') ?? ''
  const clean = segment
    .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\p{Cs}]/gu, '')
    .replace(/^\s+/, '')
    .replace(TAIL, '')
  return fit(clean) || FALLBACK
}

function fit(name: string): string {
  if (Buffer.byteLength(name) <= LONGEST_NAME) return name
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 && Buffer.byteLength(name.slice(dot)) <= 32 ? name.slice(dot) : ''
  const room = LONGEST_NAME - Buffer.byteLength(extension)
  let stem = ''
  let used = 0
  for (const character of name) {
    used += Buffer.byteLength(character)
    if (used > room) break
    stem += character
  }
  // Cut off, it may end in what was trimmed before.
  return stem.replace(TAIL, '') + extension
}
