import { fileTypeFromBuffer, supportedExtensions } from 'file-type'
import mime from 'mime-types'
import { UploadError } from '../core/errors.ts'
import type { TypeRule } from '../core/gate.ts'

/** How many bytes file-type looks at. */
const START_LENGTH = 4_100

/**
 * Accepts files by the extension of their name, and compares their first bytes with it. The type that a client declares
 * is never looked at.
 */
export class FileTypes implements TypeRule {
  readonly startLength = START_LENGTH
  readonly #types: readonly string[]

  /** @param types as in the setting `ALLOWED_TYPES`; empty for all. */
  constructor(types: readonly string[]) {
    this.#types = types
  }

  get isOpen(): boolean {
    return this.#types.length === 0
  }

  checkName(name: string, narrower: readonly string[] = []): void {
    const extension = extensionOf(name)
    for (const types of [this.#types, narrower]) {
      if (types.length > 0 && !types.some((type) => covers(type.toLowerCase(), extension))) {
        throw new UploadError('type_not_allowed', `Only these types of files are accepted: ${types.join(', ')}.`)
      }
    }
  }

  async checkStart(name: string, start: Buffer): Promise<void> {
    const extension = extensionOf(name)
    const found = await fileTypeFromBuffer(start)
    const agrees = found === undefined ? !hasSignature(extension) : mayHold(extension, found, start)
    if (!agrees) throw new UploadError('type_not_allowed', `The content of this file is not of the type .${extension}.`)
  }
}

/** Whether a text is an extension (`.pdf`), a known MIME type (`application/pdf`), or a kind of them (`image/*`). */
export function isFileType(text: string): boolean {
  if (/^\.[^\s.,/*]{1,20}$/.test(text)) return true
  const kind = /^[a-z]+\/(?=\*$)/.exec(text)?.[0]
  return Object.keys(mime.extensions).some((type) => (kind === undefined ? type === text : type.startsWith(kind)))
}

/** Without its dot, in lower case; empty if there is none. */
function extensionOf(name: string): string {
  return /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? ''
}

function covers(type: string, extension: string): boolean {
  if (extension === '') return false
  if (type.startsWith('.')) return type.slice(1) === extension
  if (!type.endsWith('/*')) return isOfType(extension, type)
  const kind = type.slice(0, -1)
  return Object.keys(mime.extensions).some((known) => known.startsWith(kind) && isOfType(extension, known))
}

function isOfType(extension: string, type: string): boolean {
  return mime.extensions[type]?.includes(extension) ?? false
}

/** Whether a file of this extension may have the content that file-type has found. */
function mayHold(extension: string, found: { readonly ext: string; readonly mime: string }, start: Buffer): boolean {
  if (found.ext === extension || isOfType(extension, found.mime)) return true
  if (TWO_LETTERS.has(found.ext) && covers('text/*', extension) && isText(start)) return true
  return CONTAINERS.some(({ holds, extensions }) => holds.includes(found.ext) && extensions.includes(extension))
}

/** Types that file-type recognizes by two letters (BM, MZ), with which a text may begin. */
const TWO_LETTERS: ReadonlySet<string> = new Set(['bmp', 'exe'])

function isText(start: Buffer): boolean {
  return start.every((byte) => byte > 8)
}

const MARKUP = words('xml svg kml gpx html htm xhtml rss atom xsl xslt xsd dae fb2 plist musicxml')

/** What file-type reports for files whose extension says more than their first bytes. */
const CONTAINERS = [
  {
    holds: ['zip'],
    extensions: words(
      'docx docm dotx dotm xlsx xlsm xltx xltm pptx pptm ppsx ppsm potx potm odt ott ods ots odp otp odg otg',
      'epub jar apk xpi kmz 3mf cbz vsdx pages numbers key sketch usdz xps oxps',
    ),
  },
  { holds: ['cfb'], extensions: words('doc dot xls xlt ppt pps pot msg msi pub vsd mpp') },
  { holds: ['xml'], extensions: MARKUP },
  { holds: ['gz', 'tar.gz'], extensions: words('gz tgz svgz') },
  { holds: ['tif'], extensions: words('dng nef arw cr2 orf rw2 pef srw') },
  {
    holds: words('mp4 mov m4v m4a m4b m4p f4v f4a 3gp 3g2'),
    extensions: words('mp4 mov m4v m4a m4b m4p f4v f4a 3gp 3g2'),
  },
  { holds: words('mkv webm'), extensions: words('mkv webm mka') },
  { holds: words('ogg oga ogv ogm ogx opus spx'), extensions: words('ogg oga ogv ogm ogx opus spx') },
  { holds: ['asf'], extensions: words('wma wmv') },
  { holds: words('mp1 mp2 mp3 aac'), extensions: words('mp1 mp2 mp3 aac') },
  { holds: words('heic heif avif'), extensions: words('heic heif hif avif') },
  { holds: words('mpg mts ps'), extensions: words('mpg mpeg vob m2ts mts ts') },
  { holds: ['pdf', 'ps', 'eps'], extensions: words('ai eps ps') },
  { holds: ['rtf'], extensions: ['doc'] },
  { holds: ['exe'], extensions: words('dll sys scr com') },
]

/** Types with a beginning that file-type knows, but that not every file has. */
const SIGNATURE_IS_OPTIONAL: ReadonlySet<string> = new Set([...MARKUP, ...words('ics vcf vtt reg dat')])

const SIGNED: ReadonlySet<string> = new Set([
  ...supportedExtensions,
  ...CONTAINERS.flatMap(({ extensions }) => extensions),
  ...words('jpeg jpe jfif tiff'),
])

/** Whether file-type recognizes every file of this extension: unknown content cannot be one. */
function hasSignature(extension: string): boolean {
  return SIGNED.has(extension) && !SIGNATURE_IS_OPTIONAL.has(extension)
}

function words(...lines: readonly string[]): readonly string[] {
  return lines.flatMap((line) => line.split(' '))
}
