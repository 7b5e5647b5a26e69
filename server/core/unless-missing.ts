import { UploadError } from './errors.ts'

/** The result of `work`, or `undefined` if the upload does not exist, or no longer does. */
export async function unlessMissing<T>(work: Promise<T>, codes = ['not_found', 'gone']): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof UploadError && codes.includes(error.code)) return undefined
    throw error
  }
}
