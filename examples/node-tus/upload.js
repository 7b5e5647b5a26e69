// Uploads a file. If the script was interrupted, the next run resumes: npm start -- film.mp4
import { createReadStream } from 'node:fs'
import path from 'node:path'
import { FileUrlStorage, Upload } from 'tus-js-client'

const { LANDFALL = 'http://127.0.0.1:1080' } = process.env
const [file] = process.argv.slice(2)
if (file === undefined) {
  console.error('Usage: node upload.js FILE')
  process.exit(2)
}

const upload = new Upload(createReadStream(file), {
  endpoint: `${LANDFALL}/files`,
  metadata: { filename: path.basename(file) },
  // What nginx accepts by default. Without a proxy, leave it out: one request is faster.
  chunkSize: 1024 * 1024,
  // Long enough for a restart of the service. The delays begin again after each chunk.
  retryDelays: [500, 1000, 2000, 5000, 10_000, 20_000],
  // The URLs of unfinished uploads, by path, size, and date of their files.
  urlStorage: new FileUrlStorage('unfinished.json'),
  removeFingerprintOnSuccess: true,
  onChunkComplete: (_size, sent, total) => console.log(`${Math.floor((100 * sent) / total)} %`),
  onSuccess: () => console.log(`Uploaded: ${upload.url}`),
  onError: (error) => {
    console.error(error.message)
    process.exitCode = 1
  },
})

const [previous] = await upload.findPreviousUploads()
if (previous !== undefined) upload.resumeFromPreviousUpload(previous)
upload.start()
