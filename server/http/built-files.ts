import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Context } from 'koa'

/** For files whose names change with their content. */
export const FOREVER = 'public, max-age=31536000, immutable'

/** A file of the built pages, in memory. */
export interface BuiltFile {
  readonly content: Buffer
  readonly etag: string
}

/**
 * Reads the files of built pages, by their path with a leading slash. A directory that cannot be read has none.
 *
 * @param folder a directory.
 * @param isWanted whether to read a file, by the same path.
 */
export async function readBuiltFiles(
  folder: string,
  isWanted: (url: string) => boolean = () => true,
): Promise<ReadonlyMap<string, BuiltFile>> {
  const files = new Map<string, BuiltFile>()
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  for (const entry of entries.filter((found) => found.isFile())) {
    const full = path.join(entry.parentPath, entry.name)
    const url = `/${path.relative(folder, full).split(path.sep).join('/')}`
    if (!isWanted(url)) continue
    const content = await readFile(full)
    const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`
    files.set(url, { content, etag })
  }
  return files
}

/** Responds with a file, or with 304 when the client has it. @param name decides about its type. */
export function sendBuiltFile(ctx: Context, file: BuiltFile, name: string, caching: string): void {
  ctx.set({ 'Cache-Control': caching, ETag: file.etag })
  ctx.status = 200
  if (ctx.fresh) {
    ctx.status = 304
    return
  }
  ctx.type = path.extname(name)
  ctx.body = file.content
}
