import type { Claims } from './claims.ts'
import { UploadError } from './errors.ts'
import { PATIENCE } from './patience.ts'

/**
 * Does work while nobody else works with the upload of this id, and waits for that.
 *
 * @throws UploadError `busy` when others go on for too long; what `work` throws.
 */
export async function exclusively(claims: Claims, id: string, work: () => Promise<void>): Promise<void> {
  const patience = new AbortController()
  const timer = setTimeout(() => {
    patience.abort(new UploadError('busy', 'Others are working with this upload.'))
  }, PATIENCE)
  try {
    const claim = await claims.exclusive(id, patience.signal)
    try {
      await work()
    } finally {
      claim.release()
    }
  } finally {
    clearTimeout(timer)
  }
}
