import type { Language, Values } from './current-language.ts'

/** Every text of the page, with placeholders like `{name}`. */
const english = {
  'page.title': 'Landfall – resumable uploads',
  'page.heading': 'Bring your files ashore',
  'page.lead': 'Pause, lose the connection, close the page: uploads resume where they stopped.',
  'page.classical': 'Classical page (WebUploader)',
  'page.language': 'Language',
  'page.protocol': 'Uploads use the open tus protocol.',

  'drop.choose': 'Choose files',
  'drop.hint': 'or drop them anywhere on this page',
  'drop.now': 'Drop to upload',

  'notice.signed-out': 'Sign in to upload files, then choose “Try again”.',
  'notice.expired': 'Your sign-in has expired. Sign in again to resume.',
  'notice.retry': 'Try again',

  'limits.size': 'Up to {size} per file',
  'limits.quota': '{used} of {quota} used',
  'limits.comma': ', ',

  'list.label': 'Files',
  'list.summary': '{done} of {all} finished',
  'list.clear': 'Clear finished',

  'state.waiting': 'Queued',
  'state.starting': 'Preparing',
  'state.uploading': 'Uploading',
  'state.landing': 'Uploaded; the server is processing it',
  'state.checking': 'Checking the file',
  'state.scanning': 'Uploaded; security check in progress',
  'state.retrying': 'Interrupted; retrying',
  'state.away': 'Waiting for the server…',
  'state.signed-out': 'Sign-in expired; sign in again to resume',
  'state.paused': 'Paused',
  'state.cancelling': 'Cancelling',
  'state.finished': 'Finished',
  'state.failed': 'Failed',
  'state.remembered': 'Choose the file again to resume',

  'row.percent': '{percent}%',
  'row.rate': '{size}/s',
  'row.left': '{time} left',
  'row.progress': 'Progress of {name}',

  'time.hours': '{hours} h {minutes} min',
  'time.minutes': '{minutes} min {seconds} s',
  'time.seconds': '{seconds} s',

  'action.pause': 'Pause',
  'action.resume': 'Resume',
  'action.cancel': 'Cancel',
  'action.retry': 'Retry',
  'action.choose': 'Choose file',
  'action.forget': 'Remove',
  'action.open': 'Open',
  'action.download': 'Download',
  'action.label': '{action}: {name}',

  'said.state': '{name}: {state}',
  'said.cancelled': '{name} was cancelled.',
  'said.forgotten': '{name} was removed.',
  'said.present': '{name} is already being uploaded.',
  'said.folder': 'Folders cannot be uploaded; choose their files.',

  'problem.unreachable': 'Cannot reach the server. Uploaded data is kept.',
  'problem.file': 'The file was changed or moved; choose it again.',
  'problem.cancel': 'Could not cancel the upload on the server.',
  'problem.denied': 'You do not have permission to upload here.',
  'problem.signed-out': 'Sign in to continue.',
  'problem.cross-site': 'The server does not accept requests from this address.',
  'problem.too-large': 'The file exceeds the maximum size.',
  'problem.larger': 'The file is larger than {size}.',
  'problem.quota': 'This upload would exceed your quota.',
  'problem.type': 'Files of this type are not allowed.',
  'problem.metadata': 'The file name is too long.',
  'problem.rejected': 'Rejected: the file failed the security check.',
  'problem.too-many': 'Too many requests; try again in a minute.',
  'problem.auth-unavailable': 'Cannot verify your sign-in; try again later.',
  'problem.application-unavailable': 'The server cannot accept this file yet; try again later.',
  'problem.busy': 'The server is busy with this upload; try again soon.',
  'problem.full': 'The server is out of space.',
  'problem.server': 'Server error; try again later.',
  'problem.refused': 'The server refused the upload.',
  'problem.said': '{sentence}',
} as const

export type TextKey = keyof typeof english

const chinese: Record<TextKey, string> = {
  'page.title': 'Landfall – 断点续传',
  'page.heading': '让文件安全靠岸',
  'page.lead': '支持断点续传：暂停、断网、关闭页面后，均可从中断处继续上传。',
  'page.classical': '经典页面（WebUploader）',
  'page.language': '语言',
  'page.protocol': '基于开放的 tus 协议。',

  'drop.choose': '选择文件',
  'drop.hint': '或将文件拖放到本页任意位置',
  'drop.now': '松开即可上传',

  'notice.signed-out': '请先登录，再点击“重试”。',
  'notice.expired': '登录已过期，重新登录后可继续上传。',
  'notice.retry': '重试',

  'limits.size': '单个文件最大 {size}',
  'limits.quota': '已用 {used} / {quota}',
  'limits.comma': '、',

  'list.label': '文件',
  'list.summary': '已完成 {done} / {all}',
  'list.clear': '清除已完成',

  'state.waiting': '排队中',
  'state.starting': '准备中',
  'state.uploading': '正在上传',
  'state.landing': '上传完毕，服务器处理中',
  'state.checking': '正在校验文件',
  'state.scanning': '上传完毕，正在进行安全检查',
  'state.retrying': '传输中断，正在重试',
  'state.away': '正在等待服务器恢复…',
  'state.signed-out': '登录已过期，重新登录后自动续传',
  'state.paused': '已暂停',
  'state.cancelling': '正在取消',
  'state.finished': '已完成',
  'state.failed': '上传失败',
  'state.remembered': '重新选择该文件即可续传',

  'row.percent': '{percent}%',
  'row.rate': '{size}/s',
  'row.left': '剩余 {time}',
  'row.progress': '{name} 的进度',

  'time.hours': '{hours} 小时 {minutes} 分',
  'time.minutes': '{minutes} 分 {seconds} 秒',
  'time.seconds': '{seconds} 秒',

  'action.pause': '暂停',
  'action.resume': '继续',
  'action.cancel': '取消',
  'action.retry': '重试',
  'action.choose': '选择文件',
  'action.forget': '移除',
  'action.open': '打开',
  'action.download': '下载',
  'action.label': '{action}：{name}',

  'said.state': '{name}：{state}',
  'said.cancelled': '已取消 {name}。',
  'said.forgotten': '已移除 {name}。',
  'said.present': '{name} 正在上传中。',
  'said.folder': '不支持上传文件夹，请选择其中的文件。',

  'problem.unreachable': '无法连接服务器，已上传的部分会保留。',
  'problem.file': '文件已被修改或移动，请重新选择。',
  'problem.cancel': '取消失败，服务器上的文件未删除。',
  'problem.denied': '您没有上传权限。',
  'problem.signed-out': '请先登录。',
  'problem.cross-site': '服务器不接受来自此网址的请求。',
  'problem.too-large': '文件超出大小限制。',
  'problem.larger': '文件超过 {size}。',
  'problem.quota': '超出存储配额。',
  'problem.type': '不支持该文件类型。',
  'problem.metadata': '文件名过长。',
  'problem.rejected': '文件未通过安全检查，已被拒绝。',
  'problem.too-many': '请求过于频繁，请稍后重试。',
  'problem.auth-unavailable': '暂时无法验证登录状态，请稍后重试。',
  'problem.application-unavailable': '服务器暂时无法接收此文件，请稍后重试。',
  'problem.busy': '服务器正忙，请稍后重试。',
  'problem.full': '服务器存储空间不足。',
  'problem.server': '服务器出错，请稍后重试。',
  'problem.refused': '服务器拒绝了上传请求。',
  'problem.said': '服务器提示：{sentence}',
}

export const languages: Readonly<Record<Language, Readonly<Record<TextKey, string>>>> = { en: english, zh: chinese }

/** Whether a text has this key. */
export function isTextKey(value: string): value is TextKey {
  return Object.hasOwn(english, value)
}

/** A text with its values, which can be shown in either language. */
export interface Text {
  readonly key: TextKey
  readonly values?: Values
}
