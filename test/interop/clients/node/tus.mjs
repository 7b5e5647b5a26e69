// node tus.mjs <package> <job>: uploads a file with one version of tus-js-client; resumes what an earlier process with
// the same store began. Prints the URL.
import { createReadStream, readFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'

const [, , name, text] = process.argv
const job = JSON.parse(text)
const { default: tus } = await import(name)

const url = await new Promise((resolve, reject) => {
  const { chunkSize = Number.POSITIVE_INFINITY, fromFile = false, ...options } = job.options
  const upload = new tus.Upload(inputOf(options.uploadLengthDeferred, fromFile), {
    endpoint: job.endpoint,
    metadata: { filename: job.name, filetype: 'text/x-test' },
    retryDelays: Array.from({ length: 60 }, (_, i) => Math.min(i * 5, 100)),
    urlStorage: new (tus.FileUrlStorage ?? tus.FileStorage)(`${job.store}/urls.json`),
    chunkSize,
    onSuccess: () => resolve(upload.url),
    onError: reject,
    ...options,
  })
  // Version 1 looks for a previous upload by itself.
  if (upload.findPreviousUploads === undefined) return upload.start()
  upload.findPreviousUploads().then(([previous]) => {
    if (previous !== undefined) upload.resumeFromPreviousUpload(previous)
    upload.start()
  }, reject)
})
console.log(url)

function inputOf(deferred, fromFile) {
  // Only the length of a stream that is no file is unknown.
  if (deferred) return createReadStream(job.file).pipe(new PassThrough())
  return fromFile ? createReadStream(job.file) : readFileSync(job.file)
}
