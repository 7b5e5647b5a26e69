/** Every text of the page. `{name}` is filled in. A text that exists in English must exist in Chinese. */
const english = {
  'page.title': 'Landfall – resumable uploads',
  'page.heading': 'Bring your files ashore',
  'page.lead': 'Pause, lose the connection, close the page: uploads resume where they stopped.',
  'page.classical': 'Classical page (WebUploader)',
  'page.language': 'Language',
  'page.protocol': 'Uploads speak the open tus protocol.',

  'drop.choose': 'Choose files',
  'drop.hint': 'or drop them anywhere on this page',
  'drop.now': 'Drop to upload',

  'list.label': 'Files',
  'list.summary': '{done} of {all} finished',
  'list.clear': 'Clear finished',

  'state.waiting': 'Waiting for its turn',
  'state.starting': 'Getting ready',
  'state.uploading': 'Uploading',
  'state.landing': 'All sent; the server is finishing',
  'state.checking': 'Checking the file',
  'state.retrying': 'Interrupted, trying again',
  'state.away': 'Waiting for the server…',
  'state.paused': 'Paused',
  'state.cancelling': 'Cancelling',
  'state.finished': 'Finished',
  'state.failed': 'Stopped',
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
  'action.retry': 'Try again',
  'action.choose': 'Choose file',
  'action.forget': 'Forget',
  'action.open': 'Open',
  'action.download': 'Download',
  'action.label': '{action}: {name}',

  'said.state': '{name}: {state}',
  'said.cancelled': '{name} was cancelled.',
  'said.forgotten': '{name} was forgotten.',
  'said.present': '{name} is already being uploaded.',
  'said.folder': 'Folders cannot be uploaded; choose the files inside.',

  'problem.unreachable': 'Cannot reach the server. Uploaded data is kept.',
  'problem.file': 'The file was changed or moved; choose it again.',
  'problem.cancel': 'The upload could not be cancelled on the server.',
  'problem.denied': 'You are not allowed to upload here.',
  'problem.too-large': 'The file is larger than the server accepts.',
  'problem.busy': 'The server is busy with this upload; try again in a moment.',
  'problem.full': 'The server has no space left.',
  'problem.server': 'Server error; try again later.',
  'problem.refused': 'The server refused the upload.',
  'problem.said': '{sentence}',
} as const

export type TextKey = keyof typeof english

const chinese: Record<TextKey, string> = {
  'page.title': 'Landfall – 断点续传',
  'page.heading': '让文件安全靠岸',
  'page.lead': '暂停、断网、关闭页面都没关系：上传会从停下的地方继续。',
  'page.classical': '经典页面（WebUploader）',
  'page.language': '语言',
  'page.protocol': '上传使用开放的 tus 协议。',

  'drop.choose': '选择文件',
  'drop.hint': '或将文件拖放到本页任意位置',
  'drop.now': '松开即可上传',

  'list.label': '文件',
  'list.summary': '已完成 {done} / {all}',
  'list.clear': '清除已完成',

  'state.waiting': '排队中',
  'state.starting': '准备中',
  'state.uploading': '正在上传',
  'state.landing': '已传完，服务器正在处理',
  'state.checking': '正在校验文件',
  'state.retrying': '传输中断，正在重试',
  'state.away': '正在等待服务器恢复…',
  'state.paused': '已暂停',
  'state.cancelling': '正在取消',
  'state.finished': '已完成',
  'state.failed': '已停止',
  'state.remembered': '重新选择该文件即可续传',

  'row.percent': '{percent}%',
  'row.rate': '{size}/秒',
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
  'said.folder': '无法上传文件夹，请选择其中的文件。',

  'problem.unreachable': '无法连接服务器，已上传的部分会保留。',
  'problem.file': '文件已被修改或移动，请重新选择。',
  'problem.cancel': '取消失败，服务器未删除该上传。',
  'problem.denied': '您没有上传权限。',
  'problem.too-large': '文件超过了服务器允许的大小。',
  'problem.busy': '服务器正在处理该上传，请稍后重试。',
  'problem.full': '服务器空间已满。',
  'problem.server': '服务器出错，请稍后重试。',
  'problem.refused': '服务器拒绝了该上传。',
  'problem.said': '服务器提示：{sentence}',
}

export const languages = { en: english, zh: chinese } as const
export type Language = keyof typeof languages

/** A text with what is to be filled in, kept as such so that it can be shown again in another language. */
export interface Text {
  readonly key: TextKey
  readonly values?: Readonly<Record<string, string | number>>
}
