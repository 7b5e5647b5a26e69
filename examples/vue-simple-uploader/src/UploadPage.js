// The page of the application. Its options are those that it would give to <uploader> of vue-simple-uploader.
import { FileUploader } from './FileUploader.js'

const options = {
  // The only line that changes: the dialect's path instead of the old backend's.
  target: '/upload/vue-simple-uploader',
  chunkSize: 1024 * 1024,
  // Long enough for a restart of the service.
  maxChunkRetries: 20,
  chunkRetryInterval: 1000,
  // One question per file: after a reload, only missing chunks are sent.
  checkChunkUploadedByResponse: (chunk, text) => JSON.parse(text).uploaded.includes(chunk.offset + 1),
}

export const UploadPage = {
  components: { FileUploader },
  setup: () => ({ options, uploaded: (file, { url }) => console.log(`${file.name} is at ${url}`) }),
  template: `
    <h1>Upload files</h1>
    <FileUploader :options="options" @file-success="uploaded" />`,
}
