import { element, setText } from '../../../src/dom.ts'
import { percentOf } from '../../../src/format.ts'
import type { Details } from '../api/answers.ts'
import { t } from '../i18n/language.ts'
import { countText, sizeText } from '../numbers.ts'
import { texted } from '../texted.ts'
import { nameOf } from '../uploads/upload-row.ts'
import { barOf, chunkGridOf } from './picture.ts'
import { gapsOf, listed, type Span } from './shares.ts'

/** Maximum gaps that are listed. */
const MAX_GAPS = 50

/** Maximum runs of missing chunks that are listed. */
const MAX_RUNS = 20

/** Which bytes of an upload have been received, as a picture and in words. */
export class RangesView {
  readonly #sum = element('p', { class: 'sum' })
  readonly #bar = element('div', { class: 'picture', 'data-testid': 'bytes' })
  readonly #offset = element('p', { class: 'hint' })
  readonly #chunkTitle = element('h3')
  readonly #chunkSum = element('p', { class: 'sum' })
  readonly #grid = element('div', { class: 'picture', 'data-testid': 'chunks' })
  readonly #missing = element('p', { class: 'hint', 'data-testid': 'missing-chunks' })
  readonly #chunks = element(
    'div',
    { class: 'chunk-part' },
    this.#chunkTitle,
    this.#chunkSum,
    this.#grid,
    this.#missing,
  )
  readonly #gapSummary = element('summary')
  readonly #gapList = element('ul', { class: 'gaps' })
  readonly #gaps = element('details', {}, this.#gapSummary, this.#gapList)
  readonly #truncated = element('p', { class: 'hint' })
  readonly root = element(
    'section',
    { class: 'card ranges', 'aria-labelledby': 'ranges-title' },
    texted('h2', 'detail.bytes', { id: 'ranges-title' }),
    this.#sum,
    this.#bar,
    this.#offset,
    this.#chunks,
    element(
      'p',
      { class: 'legend' },
      element('span', { class: 'sample received', 'aria-hidden': 'true' }),
      texted('span', 'detail.legend.received'),
      element('span', { class: 'sample missing', 'aria-hidden': 'true' }),
      texted('span', 'detail.legend.missing'),
    ),
    this.#gaps,
    this.#truncated,
  )
  #drawn = ''

  update(upload: Details): void {
    const spans = upload.ranges.map(([start, end]) => ({ start, end }))
    this.#showBytes(upload, spans)
    this.#showChunks(upload, spans)
    this.#showGaps(upload, spans)
    setText(this.#truncated, upload.rangesTruncated ? t('detail.truncated') : '')
  }

  #showBytes(upload: Details, spans: readonly Span[]): void {
    const { received, size, offset } = upload
    const sum =
      size === null
        ? t('detail.received-only', { received: sizeText(received) })
        : t('detail.received-of', {
            received: sizeText(received),
            size: sizeText(size),
            percent: percentOf(received, size),
          })
    setText(this.#sum, sum)
    setText(this.#offset, size !== null && received === size ? '' : t('detail.offset', { offset: countText(offset) }))
    this.#bar.hidden = size === null
    if (size === null) return
    const label = t('detail.picture', {
      name: nameOf(upload),
      received: sizeText(received),
      size: sizeText(size),
      count: countText(spans.length),
    })
    const key = JSON.stringify([label, upload.ranges])
    if (key === this.#drawn) return
    this.#drawn = key
    this.#bar.replaceChildren(barOf(spans, size, label))
  }

  #showChunks(upload: Details, spans: readonly Span[]): void {
    const { chunks, size } = upload
    this.#chunks.hidden = chunks === null || size === null
    if (chunks === null || size === null) return
    setText(this.#chunkTitle, t('detail.chunks'))
    const { chunkSize, receivedCount, chunks: count } = chunks
    this.#grid.hidden = chunkSize === null || count === 0
    if (chunkSize === null || count === 0) {
      setText(this.#chunkSum, t('detail.no-chunk-size'))
      setText(this.#missing, '')
      return
    }
    const whole = { received: countText(receivedCount), count: countText(count) }
    const label = t('detail.chunk-picture', { name: nameOf(upload), ...whole })
    // Without the ranges of all bytes, whole chunks are what is known.
    const known = upload.rangesTruncated
      ? chunks.received.map(([first, end]) => ({ start: first * chunkSize, end: Math.min(size, end * chunkSize) }))
      : spans
    const { svg, perCell } = chunkGridOf(known, { size, chunkSize }, label)
    if (this.#grid.firstElementChild?.outerHTML !== svg.outerHTML) this.#grid.replaceChildren(svg)
    const sum = [t('detail.chunks-of', { ...whole, size: sizeText(chunkSize) })]
    if (perCell > 1) sum.push(t('detail.per-cell', { count: countText(perCell) }))
    setText(this.#chunkSum, sum.join(' '))
    setText(this.#missing, missingText(chunks.received, count))
  }

  #showGaps({ size, rangesTruncated }: Details, spans: readonly Span[]): void {
    const gaps = size === null || rangesTruncated ? [] : gapsOf(spans, size)
    this.#gaps.hidden = gaps.length === 0
    setText(this.#gapSummary, t('detail.gaps', { count: countText(gaps.length) }))
    const lines = gaps
      .slice(0, MAX_GAPS)
      .map(({ start, end }) =>
        t('detail.gap', { start: countText(start), end: countText(end - 1), size: sizeText(end - start) }),
      )
    if (gaps.length > MAX_GAPS) lines.push(t('detail.more', { count: countText(gaps.length - MAX_GAPS) }))
    if (lines.join('\n') === [...this.#gapList.children].map((line) => line.textContent).join('\n')) return
    this.#gapList.replaceChildren(...lines.map((line) => element('li', {}, line)))
  }
}

/** The missing chunks, as runs, in words; empty if there are none. @param received runs, in order. */
function missingText(received: readonly (readonly [number, number])[], count: number): string {
  const gaps = gapsOf(
    received.map(([start, end]) => ({ start, end })),
    count,
  )
  return gaps.length === 0 ? '' : t('detail.missing-chunks', { chunks: listed(gaps, MAX_RUNS) })
}
