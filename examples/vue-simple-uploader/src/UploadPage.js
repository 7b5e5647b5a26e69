// The page of the application, with <uploader> of vue-simple-uploader as it comes.
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

/** The answer to the last chunk has the URL of the file. */
function uploaded(_root, file, message) {
  console.log(`${file.name} is at ${JSON.parse(message).url}`)
}

export const UploadPage = {
  setup: () => ({ options, uploaded }),
  template: `
    <h1>Upload files</h1>
    <uploader :options="options" @file-success="uploaded" />`,
}
