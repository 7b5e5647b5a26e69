import { type Span, sharesOf } from './shares.ts'

const SVG = 'http://www.w3.org/2000/svg'

/** Maximum cells of a picture, some screens on a phone. */
const MAX_CELLS = 1000

/** Cells in a row of the grid, on wide and on narrow pages. */
const COLUMNS = { wide: 50, narrow: 25 } as const

/** As in the style sheets. */
const NARROW = matchMedia('(max-width: 599px)')

/** Maximum width of a cell with its gap, in pixels: a few chunks do not fill the page. */
const MAX_CELL_WIDTH = 28

/** Size of a cell with the gap after it, and of the gap, in units of the picture. */
const PITCH = 12
const GAP = 2

/** Width and height of the bar, in units of the picture. */
const BAR = { width: 1000, height: 28 } as const

/** Draws which bytes have been received, from the first to the last. @param label describes the picture. */
export function barOf(spans: readonly Span[], size: number, label: string): SVGSVGElement {
  const svg = picture(BAR.width, BAR.height, label)
  svg.setAttribute('preserveAspectRatio', 'none')
  svg.classList.add('bytes')
  svg.append(rectangle({ x: 0, y: 0, width: BAR.width, height: BAR.height }, 'missing'))
  // Neighbours closer than half a unit look like one: no more than 2000 rectangles.
  const scale = size === 0 ? 0 : BAR.width / size
  const drawn: { from: number; until: number }[] = size === 0 ? [{ from: 0, until: BAR.width }] : []
  for (const { start, end } of spans) {
    const last = drawn.at(-1)
    if (last !== undefined && start * scale - last.until < 0.5) last.until = end * scale
    else drawn.push({ from: start * scale, until: end * scale })
  }
  for (const { from, until } of drawn) {
    // A chunk of a huge file must be visible.
    const width = Math.max(1.5, until - from)
    svg.append(rectangle({ x: Math.min(from, BAR.width - width), y: 0, width, height: BAR.height }, 'received'))
  }
  return svg
}

/** A grid of chunks. */
export interface ChunkGrid {
  readonly svg: SVGSVGElement
  /** Chunks that a cell stands for; 1 unless there are too many. */
  readonly perCell: number
}

/** Draws a cell for each chunk, filled from below by the share that has been received. @param label describes it. */
export function chunkGridOf(
  spans: readonly Span[],
  { size, chunkSize }: { readonly size: number; readonly chunkSize: number },
  label: string,
): ChunkGrid {
  const perCell = Math.max(1, Math.ceil(size / chunkSize / MAX_CELLS))
  const shares = sharesOf(spans, size, chunkSize * perCell)
  const columns = Math.min(NARROW.matches ? COLUMNS.narrow : COLUMNS.wide, shares.length)
  const rows = Math.ceil(shares.length / columns)
  const svg = picture(columns * PITCH - GAP, rows * PITCH - GAP, label)
  svg.classList.add('chunks')
  svg.style.setProperty('max-width', `${columns * MAX_CELL_WIDTH}px`)
  const side = PITCH - GAP
  shares.forEach((share, index) => {
    const x = (index % columns) * PITCH
    const y = Math.floor(index / columns) * PITCH
    svg.append(rectangle({ x, y, width: side, height: side }, 'missing'))
    // Cells that are nearly empty or nearly full must not look empty or full.
    const height = share === 0 || share === 1 ? share * side : Math.min(side - 2, Math.max(2, share * side))
    if (share > 0) svg.append(rectangle({ x, y: y + side - height, width: side, height }, 'received'))
  })
  return { svg, perCell }
}

function picture(width: number, height: number, label: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`)
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', label)
  return svg
}

function rectangle(
  place: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
  kind: 'received' | 'missing',
): SVGRectElement {
  const drawn = document.createElementNS(SVG, 'rect')
  for (const [name, value] of Object.entries(place)) drawn.setAttribute(name, String(Math.round(value * 100) / 100))
  drawn.setAttribute('class', kind)
  return drawn
}
