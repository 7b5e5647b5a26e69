import type { Language } from './current-language.ts'

/** The texts that surround the element on its page. */
const english = {
  'page.title': 'Landfall – resumable uploads',
  'page.heading': 'Bring your files ashore',
  'page.lead': 'Pause, lose the connection, close the page: uploads resume where they stopped.',
  'page.classical': 'Classical page (WebUploader)',
  'page.language': 'Language',
  'page.protocol': 'Uploads use the open tus protocol.',
} as const

type PageTextKey = keyof typeof english

const chinese: Record<PageTextKey, string> = {
  'page.title': 'Landfall – 断点续传',
  'page.heading': '让文件安全靠岸',
  'page.lead': '支持断点续传：暂停、断网、关闭页面后，均可从中断处继续上传。',
  'page.classical': '经典页面（WebUploader）',
  'page.language': '语言',
  'page.protocol': '基于开放的 tus 协议。',
}

export const pageTexts: Readonly<Record<Language, Readonly<Record<PageTextKey, string>>>> = { en: english, zh: chinese }

/** Whether a text has this key. */
export function isTextKey(value: string): value is PageTextKey {
  return Object.hasOwn(english, value)
}
