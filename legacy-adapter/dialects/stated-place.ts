import { UploadError } from '../../server/core/errors.ts'
import type { Range } from '../../server/core/ranges.ts'
import type { References } from './reference.ts'
import { nameOf, type RequestValues } from './request-values.ts'
import type { Place } from './schema.ts'

/** Where a request says that its chunk is. */
export interface StatedPlace {
  /** The size of the file in bytes. */
  readonly size: number
  readonly range: Range
  /** The number of the chunk, from 0, and how many there are. By offset, chunk 1 is any chunk except the first. */
  readonly chunk: number
  readonly chunks: number
  /** Bytes; `undefined` if it is not stated. */
  readonly chunkSize: number | undefined
}

const CONTENT_RANGE = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/

/**
 * The place of a chunk that the request states; `undefined` if it states none, as for a whole file.
 *
 * @throws UploadError `missing_field`, `bad_field`, `duplicate_field`.
 */
export function statedPlace(
  place: Place,
  size: References | undefined,
  values: RequestValues,
  maxChunks: number,
): StatedPlace | undefined {
  switch (place.by) {
    case 'index': {
      const index = values.whole(place.index)
      const chunks = statedCount(place, size, values)
      if (index === undefined && (chunks === undefined || place.count === undefined)) return undefined
      const needed = <T>(value: T | undefined, references: References | undefined): T => {
        if (value === undefined) throw missing(references)
        return value
      }
      const chunk = needed(index, place.index) - place.base
      const stated = {
        chunk,
        chunks: needed(chunks, place.count ?? size),
        size: needed(values.whole(size), size),
        chunkSize: needed(values.whole(place.chunkSize), place.chunkSize),
      }
      return checked(placeOnGrid(stated, place.index, maxChunks), values.whole(place.length), place.length)
    }
    case 'offset': {
      const start = values.whole(place.offset)
      if (start === undefined) return undefined
      const whole = values.whole(size)
      if (whole === undefined) throw missing(size)
      const chunkSize = values.whole(place.chunkSize)
      const length = values.whole(place.length) ?? chunkSize
      if (length === undefined) throw missing(place.length ?? place.chunkSize)
      const end = place.length === undefined ? Math.min(whole, start + length) : start + length
      const chunks = values.whole(place.count) ?? 2
      return { ...within(start, end, whole), chunks, chunkSize }
    }
    case 'content-range': {
      const text = values.get(RANGE)
      if (text === undefined) return undefined
      const [, first, last, all] = CONTENT_RANGE.exec(text) ?? []
      const numbers = [first, last, all].map(Number)
      const [start = 0, end = 0, whole = 0] = numbers
      if (first === undefined || !numbers.every(Number.isSafeInteger)) {
        throw new UploadError('bad_field', 'The header "content-range" must be like "bytes 0-99/1000".')
      }
      return { ...within(start, end + 1, whole), chunks: 2, chunkSize: undefined }
    }
  }
}

/** A chunk of a file whose chunks come in any order, and say no size of the file. */
export interface OpenEndedPlace {
  readonly chunk: number
  /** Bytes. */
  readonly chunkSize: number
  /** How many chunks there are; `undefined` if none of them says it. */
  readonly count: number | undefined
}

/**
 * The place of a chunk that says no size of its file; `undefined` if it states none, as for a whole file.
 *
 * @throws UploadError `missing_field`, `bad_field`, `duplicate_field`.
 */
export function openEndedPlace(
  place: Extract<Place, { readonly by: 'index' }>,
  values: RequestValues,
  maxChunks: number,
): OpenEndedPlace | undefined {
  const index = values.whole(place.index)
  if (index === undefined) return undefined
  const chunkSize = values.whole(place.chunkSize)
  if (chunkSize === undefined) throw missing(place.chunkSize)
  const count = values.whole(place.count)
  if (place.count !== undefined && count === undefined) throw missing(place.count)
  const chunk = index - place.base
  if (chunkSize < 1) throw bad(`${nameOf(place.chunkSize)} must be at least 1.`)
  if (chunk < 0 || chunk >= Math.min(count ?? maxChunks, maxChunks)) {
    throw bad(`${nameOf(place.index)} must name one of at most ${count ?? maxChunks} chunks.`)
  }
  return { chunk, chunkSize, count }
}

/**
 * How many chunks the request says that there are, or implies.
 *
 * @throws UploadError `bad_field`, `duplicate_field`.
 */
export function statedCount(
  { count, chunkSize }: Extract<Place, { readonly by: 'index' }>,
  size: References | undefined,
  values: RequestValues,
): number | undefined {
  if (count !== undefined) return values.whole(count)
  const [whole, length] = [values.whole(size), values.whole(chunkSize)]
  return whole === undefined || length === undefined ? undefined : Math.max(1, Math.ceil(whole / length))
}

const RANGE: References = [{ source: 'header', name: 'content-range' }]

/** @throws UploadError `bad_field`. */
function within(start: number, end: number, size: number): Pick<StatedPlace, 'range' | 'size' | 'chunk'> {
  if (start > end || end > size || (start === end && size > 0)) {
    throw new UploadError('bad_field', `Bytes ${start} to ${end} are not within a file of ${size} bytes.`)
  }
  return { range: { start, end }, size, chunk: start === 0 ? 0 : 1 }
}

/**
 * A chunk by its number. The last one has the rest: it may be shorter than the chunk size, or almost twice as long.
 *
 * @throws UploadError `bad_field`.
 */
export function placeOnGrid(
  stated: Omit<StatedPlace, 'range' | 'chunkSize'> & { readonly chunkSize: number },
  index: References,
  maxChunks: number,
): StatedPlace {
  const { chunk, chunks, size, chunkSize } = stated
  if (chunks < 1 || chunks > maxChunks) throw bad(`The number of chunks must be from 1 to ${maxChunks}.`)
  if (chunk < 0 || chunk >= chunks) throw bad(`${nameOf(index)} must name one of ${chunks} chunks.`)
  const last = size - (chunks - 1) * chunkSize
  const fits = chunkSize > 0 && last < 2 * chunkSize && (last > 0 || (size === 0 && chunks === 1))
  if (!fits) throw bad('The size of the file, the chunk size, and the number of chunks contradict each other.')
  const start = chunk * chunkSize
  return { ...stated, range: { start, end: chunk === chunks - 1 ? size : start + chunkSize } }
}

function checked(place: StatedPlace, length: number | undefined, references: References | undefined): StatedPlace {
  if (length === undefined || length === place.range.end - place.range.start) return place
  throw bad(`${nameOf(references)} contradicts the place of the chunk.`)
}

function missing(references: References | undefined): UploadError {
  return new UploadError('missing_field', `${nameOf(references)} is missing.`)
}

function bad(message: string): UploadError {
  return new UploadError('bad_field', message)
}
