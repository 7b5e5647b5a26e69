import { ApiError } from './api/api.ts'
import { t } from './i18n/language.ts'

/** A sentence about what went wrong. */
export function problemText(error: unknown): string {
  if (error instanceof ApiError) {
    if (error.code === 'not_found' || error.code === 'gone') return t('problem.not-found')
    return error.message === ''
      ? t('problem.status', { status: error.status })
      : t('problem.said', { sentence: error.message })
  }
  return error instanceof TypeError ? t('problem.unreachable') : t('problem.answer')
}
