import type { UploadItem } from '../queue/upload-item.ts'

/** Pixels of a side, for screens of twice the density. */
const SIDE = 88

/** Larger files take too long to decode; bytes. */
const MAX_SIZE = 32 * 1024 * 1024

/** Pictures that are kept for rows that come back into view. */
const MAX_KEPT = 100

const kept = new Map<UploadItem, HTMLCanvasElement>()
let decoding: Promise<unknown> = Promise.resolve()

/** Replaces the content of a tile by a small picture of the item's file, one file at a time. */
export function showThumbnail(item: UploadItem, tile: HTMLElement): void {
  const known = kept.get(item)
  if (known !== undefined) tile.replaceChildren(known)
  else if (item.file !== null && item.type.startsWith('image/') && item.size <= MAX_SIZE)
    decoding = decoding.then(() => decode(item, tile))
}

async function decode(item: UploadItem, tile: HTMLElement): Promise<void> {
  // Meanwhile, the row may have left the view, or have finished.
  if (item.file === null || !tile.isConnected || kept.has(item)) return
  const picture = await createImageBitmap(item.file, { resizeHeight: 2 * SIDE, resizeQuality: 'medium' }).catch(
    () => null,
  )
  if (picture === null) return
  const canvas = document.createElement('canvas')
  canvas.width = SIDE
  canvas.height = SIDE
  // The middle of the picture fills the tile.
  const scale = Math.max(SIDE / picture.width, SIDE / picture.height)
  const [width, height] = [picture.width * scale, picture.height * scale]
  canvas.getContext('2d')?.drawImage(picture, (SIDE - width) / 2, (SIDE - height) / 2, width, height)
  picture.close()
  kept.set(item, canvas)
  for (const oldest of kept.keys()) {
    if (kept.size <= MAX_KEPT) break
    kept.delete(oldest)
  }
  if (tile.isConnected) tile.replaceChildren(canvas)
}
