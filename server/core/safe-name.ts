/** The longest name that common file systems take, in bytes. */
const MAX_NAME_BYTES = 255
const FALLBACK = 'file'
/**
 * Tried only where such characters begin: a name may have thousands of them in its middle, and is made safe for each
 * download.
 */
const TAIL = /(?<![\s.])[\s.]+$/

/**
 * Controls, line separators, lone surrogates, and characters that no one sees: bidi controls, spaces and marks without
 * width, fillers. Joiners (U+200C, U+200D), variation selectors, and tags stay: words and emoji consist of them.
 */
const INVISIBLE =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}\u00ad\u180e\u200b\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb]/gu

/**
 * A name for the finished file that is a safe path segment: the last segment of the client's name, at most 255 bytes of
 * UTF-8 with its extension kept, and never `.` or `..`. Invisible characters are removed. A leading dot stays, even that of `.htaccess`: each file is alone in a directory from which nothing is
 * executed.
 */
export function safeName(name: string | null | undefined): string {
  const segment = (name ?? '').split(/[/\\]/).findLast((part) => part !== '') ?? ''
  const clean = segment.replace(INVISIBLE, '').replace(/^\s+/, '').replace(TAIL, '')
  return fit(clean) || FALLBACK
}

function fit(name: string): string {
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 && Buffer.byteLength(name.slice(dot)) <= 32 ? name.slice(dot) : ''
  const room = MAX_NAME_BYTES - Buffer.byteLength(extension)
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
