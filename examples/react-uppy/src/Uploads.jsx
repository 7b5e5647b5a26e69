// A file input and the list of uploads, from the state of Uppy. After a reload, the same file resumes.
import { useSyncExternalStore } from 'react'
import { uppy } from './uppy.js'

const subscribe = (listener) => uppy.store.subscribe(listener)
const files = () => uppy.getState().files

export function Uploads() {
  return (
    <>
      <h1>Upload files</h1>
      <input type="file" aria-label="Files" multiple onChange={addFiles} />
      <ul>
        {Object.values(useSyncExternalStore(subscribe, files)).map((file) => (
          <li key={file.id}>
            {file.name} <progress max={100} value={file.progress.percentage ?? 0} /> <State file={file} />
          </li>
        ))}
      </ul>
    </>
  )
}

function State({ file }) {
  if (file.error) {
    return (
      <button type="button" onClick={() => uppy.retryUpload(file.id)}>
        Try again
      </button>
    )
  }
  return file.progress.uploadComplete ? <a href={file.uploadURL}>Uploaded</a> : 'Uploading…'
}

function addFiles({ target }) {
  uppy.addFiles(Array.from(target.files, (data) => ({ name: data.name, type: data.type, data })))
  // The same file can be chosen again.
  target.value = ''
}
