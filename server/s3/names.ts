import type { Range } from '../core/ranges.ts'

/** The names of objects below `live/<id>/`. Each is written once, and never with other content. */

/** Received bytes. They count if `accept` says so. */
export interface Piece extends Range {
  readonly name: string
  readonly term: number
  /** Random: one per attempt. */
  readonly token: string
  /** The number of the piece within its attempt, from 0 on. */
  readonly index: number
  readonly isLast: boolean
  /** Whether it repeats bytes that count already. */
  readonly isCover: boolean
}

export type LiveName =
  /** A claim of a term. That of term 1 is its first record. */
  | { readonly kind: 'claim'; readonly term: number }
  /** A record of a term; the highest sequence number holds. */
  | { readonly kind: 'record'; readonly term: number; readonly sequence: number }
  /** What counts at the beginning of a term. */
  | { readonly kind: 'manifest'; readonly term: number }
  | { readonly kind: 'piece'; readonly piece: Piece }
  /** The bytes are those of another upload. */
  | { readonly kind: 'joined' }

export const JOINED = 'j'

const TERM = /^c\.(\d{8})$/
const RECORD = /^r\.(\d{8})\.(\d{6})$/
const MANIFEST = /^m\.(\d{8})$/
const PIECE = /^d\.(\d{8})\.([0-9a-f]{16})\.(\d{4,})(l?)(k?)\.(\d{15})-(\d{15})$/

export function claimName(term: number): string {
  return `c.${padded(term, 8)}`
}

export function recordName(term: number, sequence: number): string {
  return `r.${padded(term, 8)}.${padded(sequence, 6)}`
}

export function manifestName(term: number): string {
  return `m.${padded(term, 8)}`
}

/** @param piece its name is made from the rest. */
export function pieceName({ term, token, index, isLast, isCover, start, end }: Omit<Piece, 'name'>): string {
  const marks = `${isLast ? 'l' : ''}${isCover ? 'k' : ''}`
  return `d.${padded(term, 8)}.${token}.${padded(index, 4)}${marks}.${padded(start, 15)}-${padded(end, 15)}`
}

/** @returns `undefined` for a name of something else. */
export function parseName(name: string): LiveName | undefined {
  const claim = TERM.exec(name)
  if (claim !== null) return { kind: 'claim', term: Number(claim[1]) }
  const record = RECORD.exec(name)
  if (record !== null) return { kind: 'record', term: Number(record[1]), sequence: Number(record[2]) }
  const manifest = MANIFEST.exec(name)
  if (manifest !== null) return { kind: 'manifest', term: Number(manifest[1]) }
  if (name === JOINED) return { kind: 'joined' }
  const found = PIECE.exec(name)
  if (found === null) return undefined
  const [, term, token = '', index, last, cover, start, end] = found
  const range = { start: Number(start), end: Number(end) }
  if (range.end <= range.start) return undefined
  const marks = { isLast: last !== '', isCover: cover !== '' }
  return { kind: 'piece', piece: { name, term: Number(term), token, index: Number(index), ...marks, ...range } }
}

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, '0')
}
