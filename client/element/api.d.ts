/**
 * `<landfall-upload>`: uploads files to a Landfall service, resumably. Importing the module defines the element; without
 * a DOM, it defines nothing.
 */

/** What a file of the element is doing. */
export type LandfallFileState = 'comparing' | 'waiting' | 'uploading' | 'paused' | 'finished' | 'failed' | 'remembered'

/** A file of the element, as it was when this was read. */
export interface LandfallFile {
  readonly id: string
  readonly name: string
  /** Its path within a chosen folder, with the name of that; empty without a folder. */
  readonly path: string
  readonly type: string
  /** Bytes. */
  readonly size: number
  /** Bytes on the server; null while that is not known. */
  readonly sent: number | null
  readonly state: LandfallFileState
  /** The URL of the upload, once it is created; that of the file, once it is finished. */
  readonly url: string | null
  /** Why it failed, in the language of the element; null if it did not. */
  readonly error: string | null
}

/** Details of an event about one file. */
export interface LandfallFileDetail {
  readonly file: LandfallFile
}

/** The events of the element. All bubble and leave shadow trees. */
export interface LandfallUploadEventMap {
  /** Before chosen files are added; `preventDefault` ignores them. */
  'landfall-before-add': CustomEvent<{ readonly files: readonly File[] }>
  'landfall-add': CustomEvent<LandfallFileDetail>
  /** The file will not be sent: it is too large, of another type, or beyond the quota. */
  'landfall-reject': CustomEvent<LandfallFileDetail>
  'landfall-start': CustomEvent<LandfallFileDetail>
  /** At most ten times a second for each file. */
  'landfall-progress': CustomEvent<LandfallFileDetail>
  'landfall-pause': CustomEvent<LandfallFileDetail>
  'landfall-resume': CustomEvent<LandfallFileDetail>
  /** A request failed, and is repeated. */
  'landfall-retry': CustomEvent<LandfallFileDetail>
  'landfall-finish': CustomEvent<LandfallFileDetail>
  'landfall-error': CustomEvent<LandfallFileDetail>
  /** The file was cancelled, deleted, or removed from the list. */
  'landfall-remove': CustomEvent<LandfallFileDetail>
  /** Nothing uploads or waits any more. */
  'landfall-complete': CustomEvent<{ readonly files: readonly LandfallFile[] }>
}

/** The element `<landfall-upload>`. Properties that are attributes, too, reflect them. */
export interface LandfallUpload extends HTMLElement {
  /** Where uploads are created; `files` next to the script by default. */
  endpoint: string
  multiple: boolean
  /** File types, as in `<input accept>`. */
  accept: string
  /** Maximum bytes of a file; 0 without a limit of the page. */
  maxSize: number
  /** Maximum files in the list. */
  maxFiles: number
  /** Whether folders can be chosen. */
  directory: boolean
  /** Maximum bytes of a request; 0 for as many as proxies let through. */
  chunkSize: number
  /** Files that upload at the same time. */
  parallel: number
  /** Whether files wait for `start()`. */
  manual: boolean
  disabled: boolean
  /** The name of the URLs of finished files in a form. */
  name: string
  /** Whether the form needs a finished file. */
  required: boolean
  /** `sha-256`: the server compares the digest of each file. */
  checksum: string
  /** `draft`: uploads use the IETF draft instead of tus. */
  protocol: string
  /** The language; that of the nearest `lang`, or of the browser, by default. */
  locale: string
  /** An upload token or JWT. It is kept in memory only. */
  token: string | null
  /** Metadata of every upload, beside `filename`, `filetype`, and `relativePath`. */
  metadata: Readonly<Record<string, string>>
  /** Headers of every request, for instance with a fresh token. */
  headers: (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>) | null
  /** Returns the URL of a finished file with the same content, if there is one; the file is not sent then. */
  findFinished: ((file: File) => Promise<string | undefined>) | null
  /** The files of the list. */
  readonly files: readonly LandfallFile[]
  /** The URLs of the finished files. */
  readonly value: readonly string[]
  readonly form: HTMLFormElement | null
  readonly validity: ValidityState
  readonly validationMessage: string
  checkValidity(): boolean
  reportValidity(): boolean
  /** Adds files, as if their user had chosen them. */
  add(files: Iterable<File>): Promise<void>
  /** Starts files that wait, with `manual`. */
  start(): void
  /** Pauses a file, or all. */
  pause(id?: string): void
  /** Resumes a file, or all. The browser may ask its user for files of an earlier visit, so call it after a click. */
  resume(id?: string): void
  /** Cancels a file, or all unfinished ones; the server deletes what it has after ten seconds. */
  cancel(id?: string): void
  /** Tries a failed file again, or all. */
  retry(id?: string): void
  /** Empties the list; files stay on the server. */
  clear(): void
}

/** The class of the element; undefined without a DOM. */
export declare const LandfallUpload: { new (): LandfallUpload; readonly formAssociated: true } | undefined

declare global {
  interface HTMLElementTagNameMap {
    'landfall-upload': LandfallUpload
  }
  interface HTMLElementEventMap extends LandfallUploadEventMap {}
}
