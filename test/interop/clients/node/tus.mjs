// node tus.mjs <package> <job>: uploads a file with one version of tus-js-client; resumes what an earlier process with the same
// store began. Prints the URL.
import { createReadStream, readFileSync } from 'node:fs'

const [, , name, text] = process.argv
const job = JSON.parse(text)
const { default: tus } = await import(name)
// Version 1 looks for a previous upload by itself, and only for buffers.
const looksItself = tus.Upload.prototype.findPreviousUploads === undefined

const url = await new Promise((resolve, reject) => {
  const { chunkSize = Number.POSITIVE_INFINITY, ...options } = job.options
  const upload = new tus.Upload(looksItself ? readFileSync(job.file) : createReadStream(job.file), {
    endpoint: job.endpoint,
    metadata: { filename: job.name, filetype: 'text/x-test' },
    retryDelays: Array.from({ length: 60 }, (_, i) => Math.min(i * 5, 100)),
    urlStorage: new (tus.FileUrlStorage ?? tus.FileStorage)(`${job.store}/urls.json`),
    chunkSize,
    onSuccess: () => resolve(upload.url),
    onError: reject,
    ...options,
  })
  if (looksItself) return upload.start()
  upload.findPreviousUploads().then(([previous]) => {
    if (previous !== undefined) upload.resumeFromPreviousUpload(previous)
    upload.start()
  }, reject)
})
console.log(url)
