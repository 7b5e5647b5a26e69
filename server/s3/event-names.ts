import { EVENT_TYPES, type EventType } from '../core/events.ts'

/**
 * The names of objects below `out/<id of the upload>/`:
 *
 * - `<order>.<type>.<digest>.<node>`: an event, written by this node. Only its writer makes an object of this name, so
 *   the writer may delete it: another node that intends the same event has another object.
 * - `<order>.<type>.<digest>.sent.<endpoint>`: this endpoint has accepted the event.
 */
export type OutName = EventName | SentName

export interface EventName {
  readonly kind: 'event'
  readonly type: EventType
  /** The id of the event. */
  readonly id: string
  readonly node: string
}

export interface SentName {
  readonly kind: 'sent'
  readonly id: string
  readonly endpoint: string
}

/** Names sort as the events of an upload happen. Of `finished`, `failed`, and `rejected`, an upload has only one. */
const ORDER: Readonly<Record<EventType, string>> = {
  created: '00',
  progress: '10',
  finished: '50',
  failed: '50',
  rejected: '50',
  deleted: '90',
  expired: '90',
}

const ID = 'evt_'
const NAME = /^\d{2}\.([a-z]+)\.([0-9a-f]{32})\.(?:([0-9a-f-]{36})|sent\.([0-9a-z]+))$/
const LETTER = /^(evt_[0-9a-f]{32})\.([0-9a-z]+)$/

export function eventName(type: EventType, id: string, node: string): string {
  return `${stemOf(type, id)}.${node}`
}

export function sentName(type: EventType, id: string, endpoint: string): string {
  return `${stemOf(type, id)}.sent.${endpoint}`
}

/** @returns `undefined` for a name of something else. */
export function parseOutName(name: string): OutName | undefined {
  const [, typeName, digest = '', node, endpoint] = NAME.exec(name) ?? []
  const type = EVENT_TYPES.find((one) => one === typeName)
  if (type === undefined) return undefined
  const id = `${ID}${digest}`
  if (node !== undefined) return { kind: 'event', type, id, node }
  return endpoint === undefined ? undefined : { kind: 'sent', id, endpoint }
}

/** The name of a dead letter: one event for one endpoint. */
export function letterName(id: string, endpoint: string): string {
  return `${id}.${endpoint}`
}

/** @returns `undefined` for a name of something else. */
export function parseLetterName(name: string): { readonly id: string; readonly endpoint: string } | undefined {
  const [, id, endpoint] = LETTER.exec(name) ?? []
  return id === undefined || endpoint === undefined ? undefined : { id, endpoint }
}

function stemOf(type: EventType, id: string): string {
  return `${ORDER[type]}.${type}.${id.slice(ID.length)}`
}
