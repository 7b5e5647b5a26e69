import type { EventType } from '../core/events.ts'

/** The hooks of tusd, and two of our own: `post-expire` and `post-fail`. */
export const HOOK_NAMES = [
  'pre-create',
  'post-create',
  'post-receive',
  'pre-finish',
  'post-finish',
  'pre-terminate',
  'post-terminate',
  'post-expire',
  'post-fail',
] as const

export type HookName = (typeof HOOK_NAMES)[number]

/** The hooks that tusd calls by default. */
export const DEFAULT_HOOKS = ['pre-create', 'post-create', 'post-receive', 'post-terminate', 'post-finish'] as const

/** The hook that reports an event. */
export const HOOK_OF_EVENT: Readonly<Record<EventType, HookName>> = {
  created: 'post-create',
  progress: 'post-receive',
  finished: 'post-finish',
  failed: 'post-fail',
  rejected: 'post-fail',
  deleted: 'post-terminate',
  expired: 'post-expire',
}
