import type { fileTexts } from './en-files.ts'

/** The texts that are needed before there are files, with placeholders like `{name}`. */
export const english = {
  'drop.choose': 'Choose files',
  'drop.folder': 'Choose a folder',
  'drop.hint': 'or drop or paste them here',
  'drop.hint-page': 'or drop or paste files and folders anywhere on this page',
  'drop.now': 'Drop to upload',
  'drop.reading': 'Reading the folder: {count} files',

  'notice.signed-out': 'Sign in to upload files, then choose “Try again”.',
  'notice.expired': 'Your sign-in has expired. Sign in again to resume.',
  'notice.retry': 'Try again',
  'notice.reload': 'This page is out of date. Reload it to upload files.',
  'notice.reload-now': 'Reload',

  'limits.size': 'Up to {size} per file',
  'limits.quota': '{used} of {quota} used',
  'limits.comma': ', ',

  'state.away': 'Waiting for the server…',

  'form.required': 'Upload a file.',
  'form.running': 'Wait until the uploads have finished.',

  'problem.denied': 'You do not have permission to upload here.',
} as const

export type TextKey = keyof typeof english | keyof typeof fileTexts
