import { UploadError } from './errors.ts'

/** How long a request waits for others, body unread, before it is told to come again. Milliseconds. */
export const PATIENCE = 50_000

/** Waits for `work` up to `ms` milliseconds. @throws UploadError `busy` with `message` after that. */
export async function withPatience<T>(work: Promise<T>, ms: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new UploadError('busy', message)), ms)
  })
  try {
    return await Promise.race([work, patience])
  } finally {
    clearTimeout(timer)
  }
}
