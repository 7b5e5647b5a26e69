import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { finished } from 'node:stream/promises'
import { MIB } from './bytes.ts'

/** A file created for a test. */
export interface SampleFile {
  readonly path: string
  readonly name: string
  readonly size: number
  readonly sha256: string
}

/** A finished upload in the data directory. */
export interface StoredFile {
  readonly id: string
  readonly name: string
  readonly path: string
  readonly size: number
  readonly sha256: string
}

/** Writes a file of random bytes. @param name may contain directories. */
export async function randomFile(folder: string, name: string, size: number): Promise<SampleFile> {
  const file = path.join(folder, name)
  await mkdir(path.dirname(file), { recursive: true })
  const out = createWriteStream(file)
  const hash = createHash('sha256')
  for (let left = size; left > 0; left -= MIB) {
    const bytes = randomBytes(Math.min(left, MIB))
    hash.update(bytes)
    if (!out.write(bytes)) await once(out, 'drain')
  }
  out.end()
  await finished(out)
  return { path: file, name: path.basename(file), size, sha256: hash.digest('hex') }
}

export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(file)) hash.update(bytes)
  return hash.digest('hex')
}

/** The finished files of a data directory, `files/<id>/<name>`, whose ids begin with `prefix`. */
export async function storedFiles(dataDir: string, prefix = ''): Promise<StoredFile[]> {
  const ids = await readdir(path.join(dataDir, 'files'))
  return Promise.all(ids.filter((id) => id.startsWith(prefix)).map((id) => storedFile(dataDir, id)))
}

/** The finished file of an upload. */
export async function storedFile(dataDir: string, id: string): Promise<StoredFile> {
  const folder = path.join(dataDir, 'files', id)
  const [name = '', ...others] = await readdir(folder)
  if (others.length > 0) throw new Error(`${folder} has several files.`)
  const file = path.join(folder, name)
  return { id, name, path: file, size: (await stat(file)).size, sha256: await sha256Of(file) }
}

/** The SHA-256 of what a URL returns. */
export async function sha256At(url: string): Promise<string> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} responds with ${response.status}.`)
  return createHash('sha256')
    .update(new Uint8Array(await response.arrayBuffer()))
    .digest('hex')
}
