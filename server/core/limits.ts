import type { Charge } from './charge.ts'

/** The most that uploads may cost; `Infinity` for no limit. */
export type Limits = Charge

export const UNLIMITED: Limits = {
  bytes: Number.POSITIVE_INFINITY,
  files: Number.POSITIVE_INFINITY,
  unfinished: Number.POSITIVE_INFINITY,
}

interface Exceeded {
  readonly ofAccount: string
  readonly ofAll: string
}

/** The sentences about the limit that a change exceeds; a change that only releases exceeds none. */
export function exceededBy(used: Charge, change: Charge, limits: Limits): Exceeded | undefined {
  const exceeds = (key: keyof Charge): boolean => change[key] > 0 && used[key] + change[key] > limits[key]
  if (exceeds('bytes')) {
    return {
      ofAccount: `Your uploads may have at most ${limits.bytes} bytes in all; delete files to make room.`,
      ofAll: `The service stores at most ${limits.bytes} bytes and has no room for this upload.`,
    }
  }
  if (exceeds('files')) {
    return {
      ofAccount: `You may have at most ${limits.files} files; delete some to make room.`,
      ofAll: `The service stores at most ${limits.files} files and has no room for another one.`,
    }
  }
  if (exceeds('unfinished')) {
    return {
      ofAccount: `You may have at most ${limits.unfinished} unfinished uploads; finish or delete some.`,
      ofAll: `The service has at most ${limits.unfinished} unfinished uploads; try again later.`,
    }
  }
  return undefined
}
